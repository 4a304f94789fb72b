@testable import DiskLayout

/// Follows the tables of logical partitions as Linux does, on a disk that holds nothing else.
struct LogicalTableChain {
    private(set) var places: [UInt64] = []
    private(set) var partitions: [(type: UInt8, status: UInt8, range: Range<UInt64>)] = []

    /// Nil if it cannot be followed.
    init?(_ sectors: [LabelSectors], extendedAt start: UInt64, sectorByteCount: UInt64) {
        var disk: [UInt64: UInt8] = [:]
        for part in sectors {
            for (place, byte) in part.bytes.enumerated() {
                guard disk.updateValue(byte, forKey: part.offset + UInt64(place)) == nil else { return nil }
            }
        }
        func little32(_ offset: UInt64) -> UInt64 { (0..<4).reduce(0) { $0 | UInt64(disk[offset + UInt64($1)] ?? 0) << UInt64(8 * $1) } }
        var next: UInt64? = start
        while let at = next {
            guard disk[at + 510] == 0x55, disk[at + 511] == 0xAA, places.count < 200 else { return nil }
            places.append(at)
            let first = at + little32(at + 446 + 8) * sectorByteCount
            partitions.append((disk[at + 446 + 4] ?? 0, disk[at + 446] ?? 0, first..<first + little32(at + 446 + 12) * sectorByteCount))
            next = disk[at + 462 + 4] == 0x05 ? start + little32(at + 462 + 8) * sectorByteCount : nil
        }
    }
}
