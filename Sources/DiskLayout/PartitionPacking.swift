/// What stands on a disk as one: a partition, or an extended one with all that it holds.
struct PartitionBlock: Equatable {
    var start: UInt64
    var byteCount: UInt64
    /// What of it is aligned where it moves: the first logical partition of an extended one, which itself begins a little before.
    var alignedOffset: UInt64 = 0

    var end: UInt64 { start + byteCount }
}

/// Finds places for partitions that keep their order. What need not move stays.
struct PartitionPacking {
    /// In the order in which they stand.
    private(set) var blocks: [PartitionBlock]
    /// Where they stood.
    private let origins: [UInt64]
    /// The one that takes what the others leave; until then it has the least that it can have. Those behind it move to the end.
    private let restPlace: Int?
    /// What that one had.
    private let restByteCount: UInt64
    /// Nothing that moves begins before.
    private let first: UInt64
    /// Nothing ends behind.
    private let limit: UInt64

    /// - Parameter blocks: where they stood, with their new sizes.
    init(_ blocks: [PartitionBlock], restPlace: Int?, restByteCount: UInt64, from first: UInt64, to limit: UInt64) {
        self.blocks = blocks
        origins = blocks.map(\.start)
        self.restPlace = restPlace
        self.restByteCount = restByteCount
        self.first = first
        self.limit = limit
        pushUp()
    }

    /// Those whose place is taken by one that grew.
    private mutating func pushUp() {
        var end: UInt64 = 0
        for place in blocks.indices {
            if blocks[place].start < end { blocks[place].start = PartitionPacking.aligned(blocks[place], from: end) }
            end = blocks[place].end
        }
    }

    /// Answers false where there is no room; then nothing is as it should be.
    mutating func fit() -> Bool {
        var end = limit
        for place in blocks.indices.reversed() {
            if isBehindRest(place) || blocks[place].end > end {
                guard let start = lastStart(of: place, to: end) else { return false }
                blocks[place].start = start
            }
            end = blocks[place].start
        }
        if let restPlace { giveRest(to: restPlace) }
        return true
    }

    /// It stays where it is, unless it would become smaller there, and more is free in front of it than it would have.
    private mutating func giveRest(to place: Int) {
        let end = (place + 1 < blocks.count ? blocks[place + 1].start : limit) / DiskLabel.alignment * DiskLabel.alignment
        let firstStart = PartitionPacking.aligned(blocks[place], from: max(first, place > 0 ? blocks[place - 1].end : 0))
        let start = blocks[place].start
        if firstStart < start, start + restByteCount > end, start - firstStart > end - min(start, end) {
            let whole = PartitionBlock(start: 0, byteCount: restByteCount, alignedOffset: blocks[place].alignedOffset)
            blocks[place].start = max(firstStart, PartitionPacking.aligned(whole, to: end) ?? 0)
        }
        if end > blocks[place].end { blocks[place].byteCount = end - blocks[place].start }
    }

    /// The least limit that leaves room for all. To be asked before `fit`.
    var neededLimit: UInt64 {
        var end: UInt64 = 0
        for (place, block) in blocks.enumerated() {
            var start = PartitionPacking.aligned(block, from: max(end, first))
            if !isBehindRest(place), origins[place] >= end { start = min(start, origins[place]) }
            end = start + block.byteCount
        }
        return end
    }

    /// Where it stood, if it can stand there again and no farther behind. Nil if there is no room.
    private func lastStart(of place: Int, to end: UInt64) -> UInt64? {
        var start = PartitionPacking.aligned(blocks[place], to: end)
        if let found = start, found < first { start = nil }
        if !isBehindRest(place), origins[place] >= start ?? 0, origins[place] + blocks[place].byteCount <= end { return origins[place] }
        return start
    }

    private func isBehindRest(_ place: Int) -> Bool { restPlace.map { place > $0 } ?? false }

    /// The first place at which it begins at `start` or behind.
    private static func aligned(_ block: PartitionBlock, from start: UInt64) -> UInt64 {
        (start + block.alignedOffset + DiskLabel.alignment - 1) / DiskLabel.alignment * DiskLabel.alignment - block.alignedOffset
    }

    /// The last place at which it ends at `end` or before. Nil if there is none.
    private static func aligned(_ block: PartitionBlock, to end: UInt64) -> UInt64? {
        guard block.byteCount <= end else { return nil }
        let start = (end - block.byteCount + block.alignedOffset) / DiskLabel.alignment * DiskLabel.alignment
        return start >= block.alignedOffset ? start - block.alignedOffset : nil
    }
}
