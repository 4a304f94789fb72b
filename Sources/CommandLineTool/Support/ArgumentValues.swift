import ArgumentParser
import ImageRepository

/// Values of options, parsed with messages that say what would be right.
enum ArgumentValues {
    static func byteCount(_ text: String) throws -> UInt64 {
        guard let byteCount = ByteText.parse(text) else { throw ValidationError("“\(text)” is no size; write 64KiB, 1.5GiB, 2G or a whole number of bytes.") }
        return byteCount
    }

    /// Bytes a second; `/s` may follow.
    static func rate(_ text: String) throws -> UInt64 {
        let rate = try byteCount(text.hasSuffix("/s") ? String(text.dropLast(2)) : text)
        guard rate >= 1024 else { throw ValidationError("“\(text)” is too slow; 1KiB a second is the least.") }
        return rate
    }

    static func chunkByteCount(_ text: String) throws -> Int {
        let byteCount = try byteCount(text)
        guard (16 << 10...1 << 20).contains(byteCount), byteCount.nonzeroBitCount == 1 else {
            throw ValidationError("“\(text)” is no chunk size; it is a power of two from 16KiB to 1MiB.")
        }
        return Int(byteCount)
    }

    /// 1 to 12; nil for `none`.
    static func compression(_ text: String) throws -> Compression {
        if text == "none" { return .none }
        guard let level = Int(text), (1...12).contains(level) else {
            throw ValidationError("“\(text)” is no compression level; it is none, or a number from 1 (fast) to 12 (small).")
        }
        return .level(level)
    }

    enum Compression: Equatable {
        case none
        case level(Int)
    }

    /// `90m`, `24h`, `3d`; `never`.
    static func silence(_ text: String) throws -> Silence {
        if text == "never" { return .never }
        let units: [Character: Int64] = ["m": 60, "h": 3600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), (1...10_000).contains(count), count * unit >= 3600 else {
            throw ValidationError("“\(text)” is no such time; write 90m, 24h, 3d or never. An hour is the least, as a backup gives a sign of life every ten minutes.")
        }
        return .seconds(count * unit)
    }

    enum Silence: Equatable {
        case never
        case seconds(Int64)
    }

    /// `90s`, `10m`, `2h`; at most a day.
    static func seconds(_ text: String) throws -> UInt64 {
        let units: [Character: UInt64] = ["s": 1, "m": 60, "h": 3600]
        guard let unit = text.last.flatMap({ units[$0] }), let count = UInt64(text.dropLast()), (1...86_400).contains(count), count * unit <= 86_400 else {
            throw ValidationError("“\(text)” is no such time; write 90s, 10m or 2h. A day is the most.")
        }
        return count * unit
    }

    static func snapshotCount(_ text: String) throws -> Int {
        guard let count = Int(text), count >= 0 else { throw ValidationError("“\(text)” is no number of snapshots.") }
        return count
    }

    static func span(_ text: String) throws -> RetentionSpan {
        guard let span = RetentionSpan(parsing: text) else { throw ValidationError("“\(text)” is no span of time; write 30d, 1y6m, 2w or 12h.") }
        return span
    }

    /// `host,image`; `none`.
    static func grouping(_ text: String) throws -> RetentionGrouping {
        let words: [String: RetentionGrouping] = ["host": .host, "image": .image, "key": .key]
        if text == "none" { return [] }
        var grouping: RetentionGrouping = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let part = words[String(word)] else { throw ValidationError("“\(text)” is no grouping; write any of host, image and key with commas between them, or none.") }
            grouping.insert(part)
        }
        return grouping
    }

    static func threadCount(_ text: String) throws -> Int {
        guard let count = Int(text), (1...256).contains(count) else { throw ValidationError("“\(text)” is no number of threads from 1 to 256.") }
        return count
    }

    /// `5%`, `0.5%`, `100%`; above 0.
    static func percent(_ text: String) throws -> Double {
        guard let percent = share(text), percent > 0 else { throw ValidationError("“\(text)” is no share; write --read-data for all, or --read-data=5%.") }
        return percent
    }

    /// `5%`, `0%`.
    static func unusedPercent(_ text: String) throws -> Double {
        guard let percent = share(text) ?? share("\(text)%") else { throw ValidationError("“\(text)” is no share; write 5%, or 0% to free all there is.") }
        return percent
    }

    /// `1%`, `0.1%`, as a part of 1.
    static func auditShare(_ text: String) throws -> Double {
        guard let percent = share(text) else { throw ValidationError("“\(text)” is no share; write 1%, 0.1%, or 100% for all.") }
        return percent / 100
    }

    /// 0 to 100.
    private static func share(_ text: String) -> Double? {
        guard text.hasSuffix("%"), text.dropLast().allSatisfy({ "0123456789.".contains($0) }), let percent = Double(text.dropLast()), percent <= 100 else { return nil }
        return percent
    }
}
