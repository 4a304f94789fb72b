import TestSupport
import Testing

@testable import DiskLayout

/// Tables that seeds decide, fitted to disks of all sizes.
struct RandomMBRFittingTests {
    private static let alignment = DiskLabel.alignment

    /// Where the last of these ends at least, if each stands where it stood or is aligned, and they keep their order: of all choices which of them stay.
    private func leastEnd(_ blocks: [(start: UInt64, byteCount: UInt64, offset: UInt64)]) -> UInt64? {
        (0..<1 << blocks.count).compactMap { choice -> UInt64? in
            var end: UInt64 = 0
            for (place, block) in blocks.enumerated() {
                if choice & 1 << place != 0 {
                    guard block.start >= end else { return nil }
                    end = block.start + block.byteCount
                } else {
                    let least = max(end, Self.alignment) + block.offset
                    end = (least + Self.alignment - 1) / Self.alignment * Self.alignment - block.offset + block.byteCount
                }
            }
            return end
        }.min()
    }

    private func blocks(_ label: DiskLabel, isTight: Bool) -> [(start: UInt64, byteCount: UInt64, offset: UInt64)] {
        let logicals = label.partitions.filter { $0.role == .logical }.map(\.range)
        return label.partitions.filter { $0.role != .logical }.sorted { $0.range.lowerBound < $1.range.lowerBound }.map { partition in
            guard partition.role == .extended, let first = logicals.map(\.lowerBound).min(), let last = logicals.map(\.upperBound).max() else {
                return (partition.range.lowerBound, partition.range.upperBound - partition.range.lowerBound, 0)
            }
            return (partition.range.lowerBound, (isTight ? last : partition.range.upperBound) - partition.range.lowerBound, first - partition.range.lowerBound)
        }
    }

    /// What must hold wherever the partitions of `old` come to stand.
    private func requireSound(_ new: DiskLabel, of old: DiskLabel, within byteCount: UInt64, resized: Set<UInt32> = [], _ seed: String) throws {
        try new.check(within: byteCount)
        #expect(new.partitions.map(\.number) == old.partitions.map(\.number), "\(seed)")
        func order(_ label: DiskLabel) -> [UInt32] { label.partitions.filter { $0.role != .extended }.sorted { $0.range.lowerBound < $1.range.lowerBound }.map(\.number) }
        #expect(order(new) == order(old), "\(seed)")
        let movesAsWhole = new.hasLogicalPartitions(asIn: old)
        for (before, after) in zip(old.partitions, new.partitions) {
            let (byteCount, oldByteCount) = (after.range.upperBound - after.range.lowerBound, before.range.upperBound - before.range.lowerBound)
            if before.role != .extended, !resized.contains(before.number) { #expect(byteCount == oldByteCount, "\(seed): size of \(before.number)") }
            if before.role == .primary, before.range.lowerBound != after.range.lowerBound { #expect(after.range.lowerBound % Self.alignment == 0 && after.range.lowerBound >= Self.alignment, "\(seed): place of \(before.number)") }
        }
        guard let outer = new.partitions.first(where: { $0.role == .extended })?.range, !movesAsWhole else { return }
        let logicals = new.partitions.filter { $0.role == .logical }.map(\.range)
        let chain = try #require(LogicalTableChain(LabelWriter.logicalTables(new, sectorByteCount: 512), extendedAt: outer.lowerBound, sectorByteCount: 512), "\(seed)")
        #expect(chain.partitions.map(\.range) == logicals, "\(seed)")
        for place in chain.places {
            #expect(outer.contains(place) && outer.contains(place + 511) && !logicals.contains { $0.overlaps(place..<place + 512) }, "\(seed): a table at \(place)")
        }
    }

    @Test func `without other sizes they fit just where no choice of those that stay takes more`() throws {
        var (movedCount, refusedCount, tightCount) = (0, 0, 0)
        for seed in 1...2000 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let disk = RandomMBR(&generator)
            try disk.label.check(within: disk.byteCount)
            #expect(try disk.label.fitted(to: disk.byteCount, sectorByteCount: 512) == disk.label, "seed \(seed)")
            let needed = try #require(leastEnd(blocks(disk.label, isTight: true)))
            for byteCount in [needed, needed + 512, .random(in: needed / 512 / 2...disk.byteCount / 512, using: &generator) * 512, needed - 512, disk.byteCount + 77 * 512] {
                guard byteCount >= needed else {
                    refusedCount += 1
                    #expect(throws: LabelFittingError.tooSmall(neededByteCount: needed, availableByteCount: byteCount), "seed \(seed)") { try disk.label.fitted(to: byteCount, sectorByteCount: 512) }
                    continue
                }
                let new = try disk.label.fitted(to: byteCount, sectorByteCount: 512)
                try requireSound(new, of: disk.label, within: byteCount, "seed \(seed), \(byteCount) bytes")
                if new != disk.label { movedCount += 1 }
                // What is free within an extended one is given up only if it must be.
                let isTight = !new.hasLogicalPartitions(asIn: disk.label)
                if isTight { tightCount += 1 }
                #expect(isTight == (try #require(leastEnd(blocks(disk.label, isTight: false))) > byteCount), "seed \(seed), \(byteCount) bytes")
            }
        }
        #expect(movedCount > 500 && refusedCount > 500 && tightCount > 20, "\(movedCount) moved, \(refusedCount) refused, \(tightCount) gave up room")
    }

    @Test func `with other sizes they fit from just the size that is told`() throws {
        var (logicalCount, restCount, refusedCount) = (0, 0, 0)
        for seed in 1...2000 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let disk = RandomMBR(&generator)
            var sizes: [UInt32: PartitionSize] = [:]
            for partition in disk.label.partitions.shuffled(using: &generator) where partition.role != .extended && sizes.count < 3 && Bool.random(using: &generator) {
                sizes[partition.number] = sizes.values.contains(.rest) || Bool.random(using: &generator) ? .bytes(.random(in: 0..<120 << 20, using: &generator)) : .rest
                if partition.role == .logical { logicalCount += 1 }
            }
            var needed: UInt64 = 0
            do { _ = try disk.label.fitted(to: 512, sectorByteCount: 512, sizes: sizes) } catch { if case .tooSmall(let found, 512) = error { needed = found } }
            #expect(throws: LabelFittingError.tooSmall(neededByteCount: needed, availableByteCount: needed - 512), "seed \(seed)") { try disk.label.fitted(to: needed - 512, sectorByteCount: 512, sizes: sizes) }
            for byteCount in [needed, disk.byteCount, needed + 512 * .random(in: 0..<1 << 18, using: &generator)] {
                guard byteCount >= needed else {
                    refusedCount += 1
                    #expect(throws: LabelFittingError.tooSmall(neededByteCount: needed, availableByteCount: byteCount), "seed \(seed)") { try disk.label.fitted(to: byteCount, sectorByteCount: 512, sizes: sizes) }
                    continue
                }
                let new = try disk.label.fitted(to: byteCount, sectorByteCount: 512, sizes: sizes)
                try requireSound(new, of: disk.label, within: byteCount, resized: Set(sizes.keys), "seed \(seed), \(byteCount) bytes, \(sizes)")
                for (number, size) in sizes {
                    let range = try #require(new.partition(number)).range
                    switch size {
                    case .bytes(let asked): #expect(range.upperBound - range.lowerBound == max(1, asked / 512) * 512, "seed \(seed)")
                    case .rest:
                        restCount += 1
                        // Nothing but what the alignment takes is left behind it.
                        let behind = new.partitions.filter { $0.role != .extended && $0.range.lowerBound > range.lowerBound }.map { $0.range.upperBound - $0.range.lowerBound + 2 * Self.alignment }
                        let isPrimary = new.partition(number)?.role == .primary
                        if isPrimary, !new.partitions.contains(where: { $0.role == .extended }) {
                            #expect(range.upperBound + behind.reduce(0, +) + Self.alignment >= byteCount, "seed \(seed), \(byteCount) bytes, \(sizes)")
                        }
                        #expect(range.upperBound - range.lowerBound >= Self.alignment, "seed \(seed)")
                        // It is smaller than it was only where no more is free in front of it, but for what the alignment takes.
                        let before = try #require(disk.label.partition(number)).range
                        let inFront = max(Self.alignment, new.partitions.filter { $0.range.upperBound <= range.lowerBound }.map(\.range.upperBound).max() ?? 0)
                        if isPrimary { #expect(range.count >= before.count || range.count + Int(Self.alignment) >= Int(range.lowerBound) - Int(inFront), "seed \(seed)") }
                    }
                }
            }
        }
        #expect(logicalCount > 500 && restCount > 500 && refusedCount > 100, "\(logicalCount) logical ones, \(restCount) take the rest, \(refusedCount) refused")
    }
}
