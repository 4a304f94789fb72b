/// Tables of logical partitions, each of which names its partition relative to itself, and the next table relative to the extended partition.
extension LabelWriter {
    private static let linkType: UInt8 = 0x05

    /// All of them, written anew: the first at the start of the extended partition, the others in front of their partitions.
    ///
    /// What the first sector of the extended partition has before its table may be code that is booted, and stays.
    /// - Precondition: a sector is free in front of each logical partition, besides the first one of the extended partition, as `fitted` leaves it where it moves them.
    package static func logicalTables(_ label: DiskLabel, sectorByteCount: UInt32) -> [LabelSectors] {
        guard let outer = label.partitions.first(where: { $0.role == .extended })?.range else { return [] }
        let logicals = label.partitions.filter { $0.role == .logical }
        let places = tablePlaces(logicals, in: outer, UInt64(sectorByteCount))
        return logicals.indices.map { index in
            var table = [UInt8](repeating: 0, count: 512)
            let partition = logicals[index]
            let entry = mbrEntry(partition.range, type: mbrType(partition), attributes: partition.attributes, from: places[index], sectorByteCount: sectorByteCount)
            table.put(entry, at: firstMBREntry)
            if index + 1 < logicals.count {
                let link = mbrEntry(places[index + 1]..<logicals[index + 1].range.upperBound, type: linkType, attributes: 0, from: outer.lowerBound, sectorByteCount: sectorByteCount)
                table.put(link, at: firstMBREntry + entry.count)
            }
            table.put([0x55, 0xAA], at: 510)
            return index > 0 ? LabelSectors(offset: places[index], bytes: table) : LabelSectors(offset: places[index] + UInt64(firstMBREntry), bytes: Array(table[firstMBREntry...]))
        }
    }

    /// As far in front as the alignment is, where so much is free.
    private static func tablePlaces(_ logicals: [DiskPartition], in outer: Range<UInt64>, _ sector: UInt64) -> [UInt64] {
        var places = [UInt64](repeating: outer.lowerBound, count: logicals.count)
        var end = outer.lowerBound + sector
        for index in logicals.indices.sorted(by: { logicals[$0].range.lowerBound < logicals[$1].range.lowerBound }) {
            let start = logicals[index].range.lowerBound
            if index > 0 {
                precondition(end + sector <= start, "room for a table")
                places[index] = max(end, start - min(start, DiskLabel.alignment))
            }
            end = max(end, logicals[index].range.upperBound)
        }
        return places
    }
}

extension DiskLabel {
    /// Whether the extended partition has the size, and its logical ones the places within it, that they have in the other label: then all their tables have the same content.
    package func hasLogicalPartitions(asIn other: DiskLabel) -> Bool {
        func places(_ label: DiskLabel) -> [Range<UInt64>] {
            guard let start = label.partitions.first(where: { $0.role == .extended })?.range.lowerBound else { return [] }
            return label.partitions.filter { $0.role != .primary }.map { $0.range.lowerBound - start..<$0.range.upperBound - start }
        }
        return places(self) == places(other)
    }
}
