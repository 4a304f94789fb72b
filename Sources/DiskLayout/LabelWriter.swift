/// Bytes that a label puts onto a disk, and where.
package struct LabelSectors: Equatable, Sendable {
    package var offset: UInt64
    package var bytes: [UInt8]

    package init(offset: UInt64, bytes: [UInt8]) {
        self.offset = offset
        self.bytes = bytes
    }

    package var range: Range<UInt64> { offset..<offset + UInt64(bytes.count) }
}

/// Writes a label anew from its description, for a disk of another size than the one it was read from (UEFI 2.10, 5.2 and 5.3).
package enum LabelWriter {
    /// Of a GPT's entries; other sizes are read, and written with this one.
    private static let entryByteCount = 128
    /// A GPT has room for that many, unless it was made with more.
    private static let entryCountMin = 128
    /// Boot code, which belongs to nobody's description, ends here.
    package static let bootCodeByteCount = 440

    /// Sectors of the table of a GPT, without its header.
    package static func tableSectorCount(_ label: DiskLabel, sectorByteCount: UInt32) -> UInt64 {
        let byteCount = UInt64(max(entryCountMin, Int(label.entryCount ?? 0)) * entryByteCount)
        return (byteCount + UInt64(sectorByteCount) - 1) / UInt64(sectorByteCount)
    }

    /// A GPT with its second copy at the end of the disk, and the MBR that protects it, but for the boot code.
    ///
    /// - Precondition: the label is a GPT whose partitions fit.
    package static func gpt(_ label: DiskLabel, byteCount: UInt64, sectorByteCount: UInt32) -> [LabelSectors] {
        let sector = Int(sectorByteCount)
        let sectorCount = byteCount / UInt64(sectorByteCount)
        let table = entries(label, sectorByteCount: sectorByteCount)
        let tableSectors = tableSectorCount(label, sectorByteCount: sectorByteCount)
        let last = sectorCount - 1
        func header(at own: UInt64, other: UInt64, tableAt: UInt64) -> [UInt8] {
            var header = [UInt8](repeating: 0, count: sector)
            header.put(Array("EFI PART".utf8), at: 0)
            header.put(UInt32(0x0001_0000), at: 8)
            header.put(UInt32(92), at: 12)
            header.put(own, at: 24)
            header.put(other, at: 32)
            header.put(max(label.firstUsableSector ?? 0, 2 + tableSectors), at: 40)
            header.put(last - tableSectors - 1, at: 48)
            header.put(guid(label.id), at: 56)
            header.put(tableAt, at: 72)
            header.put(UInt32(table.count / entryByteCount), at: 80)
            header.put(UInt32(entryByteCount), at: 84)
            header.put(Checksums.crc32(table), at: 88)
            header.put(Checksums.crc32(header[..<92]), at: 16)
            return header
        }
        let padded = table + [UInt8](repeating: 0, count: Int(tableSectors) * sector - table.count)
        return [
            LabelSectors(offset: UInt64(bootCodeByteCount), bytes: protection(sectorCount: sectorCount, sector)),
            LabelSectors(offset: UInt64(sector), bytes: header(at: 1, other: last, tableAt: 2) + padded),
            LabelSectors(offset: (last - tableSectors) * UInt64(sector), bytes: padded + header(at: last, other: 1, tableAt: last - tableSectors)),
        ]
    }

    /// The first sector's table, which names the primary partitions and the extended one. Those within the extended one are named there, by `logicalTables`.
    ///
    /// - Precondition: the label is an MBR whose partitions fit, and count in sectors of that size.
    package static func mbr(_ label: DiskLabel, sectorByteCount: UInt32) -> LabelSectors {
        var bytes = [UInt8](repeating: 0, count: 512 - bootCodeByteCount)
        bytes.put(UInt32(label.id.dropFirst(2), radix: 16) ?? 0, at: 0)
        for partition in label.partitions where partition.role != .logical && partition.number <= 4 {
            let entry = mbrEntry(partition.range, type: mbrType(partition), attributes: partition.attributes, from: 0, sectorByteCount: sectorByteCount)
            bytes.put(entry, at: firstMBREntry - bootCodeByteCount + entry.count * Int(partition.number - 1))
        }
        bytes.put([0x55, 0xAA], at: 510 - bootCodeByteCount)
        return LabelSectors(offset: UInt64(bootCodeByteCount), bytes: bytes)
    }

    /// In the first sector and in each table of a logical partition.
    static let firstMBREntry = 446

    static func mbrType(_ partition: DiskPartition) -> UInt8 { UInt8(partition.type.dropFirst(2), radix: 16) ?? 0 }

    /// - Parameter base: where the sector number counts from.
    static func mbrEntry(_ range: Range<UInt64>, type: UInt8, attributes: UInt64, from base: UInt64, sectorByteCount: UInt32) -> [UInt8] {
        let sector = UInt64(sectorByteCount)
        let (first, end) = (range.lowerBound / sector, range.upperBound / sector)
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes.put(UInt8(truncatingIfNeeded: attributes), at: 0)
        bytes.put(cylinderHeadSector(first), at: 1)
        bytes.put(type, at: 4)
        bytes.put(cylinderHeadSector(end - 1), at: 5)
        bytes.put(UInt32(clamping: first - base / sector), at: 8)
        bytes.put(UInt32(clamping: end - first), at: 12)
        return bytes
    }

    /// For 255 heads and 63 sectors a track, as everybody assumes; its largest value for what lies behind.
    private static func cylinderHeadSector(_ sector: UInt64) -> [UInt8] {
        let (cylinder, inCylinder) = sector.quotientAndRemainder(dividingBy: 255 * 63)
        guard cylinder < 1024 else { return [0xFE, 0xFF, 0xFF] }
        return [UInt8(inCylinder / 63), UInt8(inCylinder % 63 + 1) | UInt8((cylinder >> 8) << 6), UInt8(truncatingIfNeeded: cylinder)]
    }

    private static func entries(_ label: DiskLabel, sectorByteCount: UInt32) -> [UInt8] {
        var table = [UInt8](repeating: 0, count: max(entryCountMin, Int(label.entryCount ?? 0)) * entryByteCount)
        for partition in label.partitions {
            let at = Int(partition.number - 1) * entryByteCount
            table.put(guid(partition.type), at: at)
            table.put(guid(partition.id), at: at + 16)
            table.put(partition.range.lowerBound / UInt64(sectorByteCount), at: at + 32)
            table.put(partition.range.upperBound / UInt64(sectorByteCount) - 1, at: at + 40)
            table.put(partition.attributes, at: at + 48)
            for (place, unit) in partition.name.utf16.prefix(36).enumerated() { table.put(unit, at: at + 56 + 2 * place) }
        }
        return table
    }

    /// From the end of the boot code to the end of the first sector.
    private static func protection(sectorCount: UInt64, _ sector: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: sector - bootCodeByteCount)
        let entry = 446 - bootCodeByteCount
        bytes.put([0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF], at: entry)
        bytes.put(UInt32(1), at: entry + 8)
        bytes.put(UInt32(clamping: sectorCount - 1), at: entry + 12)
        bytes.put([0x55, 0xAA], at: 510 - bootCodeByteCount)
        return bytes
    }

    /// The first three fields are little-endian in a GPT.
    private static func guid(_ text: String) -> [UInt8] {
        let digits = Array(text.utf8.filter { $0 != UInt8(ascii: "-") })
        var bytes: [UInt8] = []
        for place in stride(from: 0, to: digits.count - 1, by: 2) { bytes.append(UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16) ?? 0) }
        guard bytes.count == 16 else { return [UInt8](repeating: 0, count: 16) }
        return [3, 2, 1, 0, 5, 4, 7, 6].map { bytes[$0] } + bytes[8...]
    }
}

extension [UInt8] {
    mutating func put(_ bytes: [UInt8], at offset: Int) { replaceSubrange(offset..<offset + bytes.count, with: bytes) }

    /// Little-endian.
    mutating func put(_ value: some FixedWidthInteger, at offset: Int) {
        put((0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }, at: offset)
    }
}
