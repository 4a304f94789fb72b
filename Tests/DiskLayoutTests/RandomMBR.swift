import TestSupport

@testable import DiskLayout

/// A disk of some hundred MiB with an MBR that a seed decides: as DOS, older and newer tools make them, with logical partitions in any order.
struct RandomMBR {
    static let sector: UInt64 = 512
    static let mebibyte: UInt64 = 1 << 20

    private(set) var label = DiskLabel(kind: .mbr, id: "0x12345678", partitions: [])
    private(set) var byteCount: UInt64 = 0
    /// In sectors.
    private var end: UInt64 = 0
    private var logicals: [DiskPartition] = []
    private let isAligned: Bool

    init(_ generator: inout SeededGenerator) {
        isAligned = .random(in: 0..<4, using: &generator) > 0
        end = isAligned ? 2048 : 63
        let count = Int.random(in: 1...4, using: &generator)
        let extendedPlace = Int.random(in: 0..<5, using: &generator)
        for place in 0..<count {
            if Bool.random(using: &generator) { skip(.random(in: 1..<60_000, using: &generator)) }
            if place == extendedPlace { addExtended(UInt32(place + 1), &generator) } else { add(UInt32(place + 1), .primary, &generator) }
        }
        if .random(in: 0..<8, using: &generator) == 0 { logicals.shuffle(using: &generator) }
        for (place, partition) in logicals.enumerated() {
            label.partitions.append(DiskPartition(number: UInt32(5 + place), range: partition.range, type: partition.type, id: "", role: .logical))
        }
        // Numbers need not be in the order of the places.
        if .random(in: 0..<4, using: &generator) == 0, count > 1 {
            (label.partitions[0].number, label.partitions[1].number) = (2, 1)
            label.partitions.swapAt(0, 1)
        }
        if Bool.random(using: &generator) { end += .random(in: 0..<100_000, using: &generator) }
        byteCount = end * Self.sector
    }

    private mutating func skip(_ count: UInt64) {
        end += count
        if isAligned { end = (end + 2047) / 2048 * 2048 }
    }

    private mutating func add(_ number: UInt32, _ role: DiskPartition.Role, _ generator: inout SeededGenerator) {
        let count = UInt64.random(in: 1...60, using: &generator) * 2048 - (Bool.random(using: &generator) ? 0 : .random(in: 0..<2048, using: &generator))
        let partition = DiskPartition(number: number, range: end * Self.sector..<(end + count) * Self.sector, type: "0x83", id: "", role: role)
        if role == .logical { logicals.append(partition) } else { label.partitions.append(partition) }
        skip(count)
    }

    private mutating func addExtended(_ number: UInt32, _ generator: inout SeededGenerator) {
        // Debian's installer lets it begin two sectors before its first partition.
        let isClose = Bool.random(using: &generator)
        if isClose { skip(2048) }
        let start = isClose ? end - 2 : end
        if !isClose { skip(63) }
        for place in 0..<Int.random(in: 0...5, using: &generator) {
            // For a table.
            if place > 0 { skip(.random(in: 2..<5000, using: &generator)) }
            add(0, .logical, &generator)
        }
        if .random(in: 0..<3, using: &generator) > 0, let last = logicals.last {
            end = last.range.upperBound / Self.sector
        } else {
            skip(.random(in: 3..<50_000, using: &generator))
        }
        label.partitions.append(DiskPartition(number: number, range: start * Self.sector..<end * Self.sector, type: "0x05", id: "", role: .extended))
        skip(0)
    }
}
