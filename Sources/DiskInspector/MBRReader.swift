import DiskLayout

/// One of the four records of an MBR, or of a logical partition's table.
struct MBRRecord {
    static let protective: UInt8 = 0xEE

    let status: UInt8
    let type: UInt8
    let firstSector: UInt64
    let sectorCount: UInt64

    init(_ sector: Record, at offset: Int) throws(InspectionFailure) {
        status = try sector.byte(offset)
        type = try sector.byte(offset + 4)
        firstSector = UInt64(try sector.little32(offset + 8))
        sectorCount = UInt64(try sector.little32(offset + 12))
    }

    var isEmpty: Bool { type == 0 || sectorCount == 0 }
    var isExtended: Bool { [0x05, 0x0F, 0x85].contains(type) }
}

/// Reads an MBR and the chain of tables in its extended partition, numbered as Linux does.
struct MBRReader {
    let source: SourceWindow
    let sectorByteCount: UInt32

    private static let logicalCountMax = 128

    func read(_ sector: Record, _ records: [MBRRecord]) throws(InspectionFailure) -> DiskLabel {
        let id = Array(try sector.slice(440, 4).reversed()).map(\.hexadecimal).joined()
        var partitions: [DiskPartition] = []
        for (index, record) in records.enumerated() where !record.isEmpty {
            try require(record.firstSector > 0, "partition \(index + 1) begins with the partition table")
            partitions.append(try partition(UInt32(index + 1), record, at: record.firstSector, id: id, role: record.isExtended ? .extended : .primary))
        }
        let extended = records.filter { $0.isExtended && !$0.isEmpty }
        try require(extended.count <= 1, "there are several extended partitions")
        if let outer = extended.first { partitions += try logicalPartitions(in: outer, id: id) }
        return DiskLabel(kind: .mbr, id: "0x" + id, partitions: partitions)
    }

    /// Each table names one partition relative to itself, and the next table relative to the first.
    private func logicalPartitions(in outer: MBRRecord, id: String) throws(InspectionFailure) -> [DiskPartition] {
        var partitions: [DiskPartition] = []
        var seen: Set<UInt64> = []
        var next: UInt64? = outer.firstSector
        while let at = next {
            try require(seen.insert(at).inserted && seen.count <= MBRReader.logicalCountMax, "the tables of the logical partitions do not end")
            let sector = try source.read(at: at * UInt64(sectorByteCount), byteCount: 512)
            if seen.count == 1, try sector.little16(510) != 0xAA55 { break }
            try require(try sector.little16(510) == 0xAA55, "the table of a logical partition is damaged")
            next = nil
            for index in 0..<4 {
                let record = try MBRRecord(sector, at: 446 + 16 * index)
                if record.isEmpty { continue }
                if record.isExtended {
                    if next == nil { next = outer.firstSector + record.firstSector }
                    continue
                }
                try require(index < 2 && record.firstSector > 0, "the table of a logical partition is not as it should be")
                partitions.append(try partition(UInt32(5 + partitions.count), record, at: at + record.firstSector, id: id, role: .logical))
            }
        }
        return partitions
    }

    private func partition(_ number: UInt32, _ record: MBRRecord, at firstSector: UInt64, id: String, role: DiskPartition.Role) throws(InspectionFailure) -> DiskPartition {
        let size = UInt64(sectorByteCount)
        let range = firstSector * size..<(firstSector + record.sectorCount) * size
        try require(range.upperBound <= source.byteCount, "partition \(number) lies behind the end of the disk")
        return DiskPartition(
            number: number, range: range, type: "0x" + record.type.hexadecimal, id: id + "-" + UInt8(truncatingIfNeeded: number).hexadecimal,
            attributes: UInt64(record.status), role: role)
    }
}
