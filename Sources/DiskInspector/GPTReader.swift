import DiskLayout

/// Reads a GPT (UEFI 2.10, 5.3), the first copy or else the second. Only what fits its checksums is believed.
struct GPTReader {
    let source: SourceWindow
    let sectorByteCount: UInt32

    private struct Header {
        var firstUsable: UInt64
        var lastUsable: UInt64
        var alternate: UInt64
        var diskID: String
        var entriesSector: UInt64
        var entryCount: UInt32
        var entryByteCount: UInt32
        var entries: Record
    }

    /// Nil if neither copy is sound.
    func read() throws(InspectionFailure) -> LabelReader.Found? {
        let sectorCount = source.byteCount / UInt64(sectorByteCount)
        guard sectorCount >= 3 else { return nil }
        var warnings: [String] = []
        let header: Header
        if let primary = sound(at: 1) {
            header = primary
            if primary.alternate >= sectorCount {
                warnings.append("the second copy of the GPT lies behind the end of the disk")
            } else if sound(at: primary.alternate) == nil {
                warnings.append("the second copy of the GPT is damaged or missing")
            }
        } else if let backup = sound(at: sectorCount - 1) {
            header = backup
            warnings.append("the first copy of the GPT is damaged; the second one was used")
        } else {
            return nil
        }
        let label = DiskLabel(
            kind: .gpt, id: header.diskID, firstUsableSector: header.firstUsable, lastUsableSector: header.lastUsable, entryCount: header.entryCount,
            partitions: try partitions(header, sectorCount: sectorCount))
        return LabelReader.Found(label: label, sectorByteCount: sectorByteCount, warnings: warnings)
    }

    private func sound(at sector: UInt64) -> Header? {
        do throws(InspectionFailure) { return try header(at: sector) } catch { return nil }
    }

    private func header(at sector: UInt64) throws(InspectionFailure) -> Header? {
        let size = UInt64(sectorByteCount)
        guard sector < source.byteCount / size else { return nil }
        let record = try source.read(at: sector * size, byteCount: Int(size))
        guard record.holds("EFI PART", at: 0), try record.little64(24) == sector else { return nil }
        let byteCount = Int(try record.little32(12))
        guard byteCount >= 92, byteCount <= size, Checksums.crc32(try record.blanking(16, 4).slice(0, byteCount)) == (try record.little32(16)) else { return nil }
        let (entryCount, entryByteCount) = (try record.little32(80), try record.little32(84))
        let entriesByteCount = UInt64(entryCount) * UInt64(entryByteCount)
        let (entriesSector, lastUsable) = (try record.little64(72), try record.little64(48))
        guard entryByteCount >= 128, entryByteCount % 8 == 0, entryCount > 0, entriesByteCount <= 4 << 20, entriesSector < 1 << 47, lastUsable < 1 << 47 else { return nil }
        let entries = try source.read(at: entriesSector * size, byteCount: Int(entriesByteCount))
        guard Checksums.crc32(entries.bytes) == (try record.little32(88)) else { return nil }
        return Header(
            firstUsable: try record.little64(40), lastUsable: lastUsable, alternate: try record.little64(32), diskID: try record.guid(56),
            entriesSector: entriesSector, entryCount: entryCount, entryByteCount: entryByteCount, entries: entries)
    }

    private func partitions(_ header: Header, sectorCount: UInt64) throws(InspectionFailure) -> [DiskPartition] {
        try require(header.firstUsable <= header.lastUsable, "the GPT has no room for partitions")
        var partitions: [DiskPartition] = []
        for index in 0..<Int(header.entryCount) {
            let at = index * Int(header.entryByteCount)
            guard try header.entries.slice(at, 16).contains(where: { $0 != 0 }) else { continue }
            let (first, last) = (try header.entries.little64(at + 32), try header.entries.little64(at + 40))
            try require(first <= last && last < sectorCount, "partition \(index + 1) lies behind the end of the disk")
            try require(partitions.count < DiskLayoutLimits.partitionCountMax, "there are too many partitions")
            partitions.append(
                DiskPartition(
                    number: UInt32(index + 1), range: first * UInt64(sectorByteCount)..<(last + 1) * UInt64(sectorByteCount),
                    type: try header.entries.guid(at), id: try header.entries.guid(at + 16), name: try name(header.entries, at + 56),
                    attributes: try header.entries.little64(at + 48)))
        }
        return partitions
    }

    private func name(_ record: Record, _ offset: Int) throws(InspectionFailure) -> String {
        var units: [UInt16] = []
        for index in 0..<36 {
            let unit = try record.little16(offset + 2 * index)
            if unit == 0 { break }
            units.append(unit)
        }
        return ShownText.clean(String(decoding: units, as: UTF16.self))
    }
}

extension Record {
    /// A GUID as text; its first three fields are little-endian.
    func guid(_ offset: Int) throws(InspectionFailure) -> String {
        let bytes = Array(try slice(offset, 16))
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
        var text = ""
        for (index, place) in order.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += bytes[place].hexadecimal.uppercased()
        }
        return text
    }
}

extension UInt8 {
    /// Two lower-case digits.
    var hexadecimal: String { (self < 16 ? "0" : "") + String(self, radix: 16) }
}
