import TestSupport
import Testing

@testable import DiskLayout

struct GapFittingTests {
    private func partition(_ number: UInt32, _ role: DiskPartition.Role, _ range: Range<UInt64>) -> DiskPartition {
        DiskPartition(number: number, range: range, type: "0x83", id: "", role: role)
    }

    private func label(_ partitions: DiskPartition...) -> DiskLabel { DiskLabel(kind: .mbr, id: "0x12345678", partitions: partitions) }

    @Test func `what lies outside stays, and what lies within an extended partition moves with it`() {
        let old = label(partition(1, .primary, 10..<20), partition(2, .extended, 60..<90), partition(5, .logical, 63..<70), partition(6, .logical, 75..<85))
        let new = label(partition(1, .primary, 10..<25), partition(2, .extended, 40..<70), partition(5, .logical, 43..<50), partition(6, .logical, 55..<65))
        let fitting = GapFitting(old, new, end: 80)
        #expect(fitting.pieces(of: 0..<10) == [.init(source: 0..<10, target: 0)])
        #expect(fitting.pieces(of: 20..<63) == [.init(source: 25..<40, target: 25), .init(source: 60..<63, target: 40)])
        #expect(fitting.pieces(of: 70..<75) == [.init(source: 70..<75, target: 50)])
        #expect(fitting.pieces(of: 85..<100) == [.init(source: 85..<90, target: 65)])
    }

    @Test func `on random disks each byte between partitions comes from where it belongs`() throws {
        var (withinCount, splitCount) = (0, 0)
        for seed in 1...1000 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let disk = RandomMBR(&generator)
            var sizes: [UInt32: PartitionSize] = [:]
            if let resized = disk.label.partitions.randomElement(using: &generator), resized.role != .extended, Bool.random(using: &generator) { sizes[resized.number] = .rest }
            let byteCount = disk.byteCount * .random(in: 2...6, using: &generator) / 4 / 512 * 512
            guard let new = try? disk.label.fitted(to: byteCount, sectorByteCount: 512, sizes: sizes) else { continue }
            let fitting = GapFitting(disk.label, new, end: byteCount)
            let outer = [disk.label, new].compactMap { $0.partitions.first { $0.role == .extended }?.range }
            var taken = new.partitions.filter { $0.role != .extended }.map(\.range)
            var end: UInt64 = 0
            var pieces: [GapFitting.Piece] = []
            for volume in disk.label.partitions.filter({ $0.role != .extended }).map(\.range).sorted(by: { $0.lowerBound < $1.lowerBound }) + [disk.byteCount..<disk.byteCount] {
                let found = end < volume.lowerBound ? fitting.pieces(of: end..<volume.lowerBound) : []
                if found.count > 1 { splitCount += 1 }
                pieces += found
                end = volume.upperBound
            }
            for piece in pieces {
                let target = piece.target..<piece.target + UInt64(piece.source.count)
                #expect(!target.isEmpty && target.upperBound <= byteCount && !taken.contains { $0.overlaps(target) }, "seed \(seed)")
                taken.append(target)
                let isWithin = outer.count == 2 && outer[0] != outer[1] && outer[0].overlaps(piece.source)
                if isWithin { withinCount += 1 }
                if outer.count == 2, outer[0] != outer[1] { #expect(isWithin == outer[1].overlaps(target), "seed \(seed)") }
                #expect(piece.target == (isWithin ? piece.source.lowerBound - outer[0].lowerBound + outer[1].lowerBound : piece.source.lowerBound), "seed \(seed)")
            }
            // Where its tables move along, nothing between logical partitions is missing.
            guard outer.count == 2, new.hasLogicalPartitions(asIn: disk.label) else { continue }
            let covered = taken.filter { outer[1].overlaps($0) }.reduce(0) { $0 + UInt64($1.clamped(to: outer[1]).count) }
            #expect(covered == UInt64(outer[1].count), "seed \(seed)")
        }
        #expect(withinCount > 100 && splitCount > 50, "\(withinCount) within, \(splitCount) gaps in parts")
    }
}
