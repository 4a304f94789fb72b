/// Sizes as a person writes and reads them: 64KiB, 1.5GiB.
enum ByteText {
    private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

    /// At most four digits before the point and one after it, rounded to the nearest; exact below 1 KiB.
    static func of(_ byteCount: UInt64) -> String {
        var unit = units.indices.last { byteCount >> UInt64(10 * $0) > 0 } ?? 0
        // 1023.96 KiB is shown as 1 MiB.
        if unit > 0, unit + 1 < units.count, tenths(byteCount, unit) >= 10240 { unit += 1 }
        guard unit > 0 else { return "\(byteCount)B" }
        let tenths = tenths(byteCount, unit)
        return tenths % 10 == 0 ? "\(tenths / 10)\(units[unit])" : "\(tenths / 10).\(tenths % 10)\(units[unit])"
    }

    static func of(_ byteCount: Int) -> String { of(UInt64(max(0, byteCount))) }

    /// - Precondition: `unit` is above 0, and the size is below 2048 of it or so: nothing overflows.
    private static func tenths(_ byteCount: UInt64, _ unit: Int) -> UInt64 {
        let shift = UInt64(10 * unit)
        let rest = byteCount & ((1 << shift) - 1)
        return (byteCount >> shift) * 10 + (rest * 10 + (1 << (shift - 1))) >> shift
    }

    /// Digits, perhaps a point and more digits, perhaps one of the units, or K, M, G, T, P, E for KiB and so on, as dd and qemu-img have it; nothing else, no
    /// blanks. GB, which is 10^9 bytes to some and 2^30 to others, is refused. Nil for anything else, for a fraction of a byte, and above 2^63 − 1.
    static func parse(_ text: String) -> UInt64? {
        let number = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let suffix = String(text.dropFirst(number.count))
        guard let unit = suffix.isEmpty ? 0 : units.firstIndex(where: { $0 == suffix || $0 == suffix + "iB" }) else { return nil }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }), let whole = UInt64(parts[0]) else { return nil }
        let shift = UInt64(10 * unit)
        var byteCount = whole.multipliedReportingOverflow(by: 1 << shift)
        guard !byteCount.overflow else { return nil }
        if parts.count == 2 {
            guard parts[1].utf8.count <= 6, let digits = UInt64(parts[1]) else { return nil }
            let scale = parts[1].reduce(UInt64(1)) { scale, _ in scale * 10 }
            let fraction = digits.multipliedReportingOverflow(by: 1 << shift)
            guard !fraction.overflow, fraction.partialValue % scale == 0 else { return nil }
            byteCount = byteCount.partialValue.addingReportingOverflow(fraction.partialValue / scale)
        }
        guard !byteCount.overflow, byteCount.partialValue <= UInt64(Int64.max) else { return nil }
        return byteCount.partialValue
    }
}
