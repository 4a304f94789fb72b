/// Why partitions do not fit onto a disk.
package enum LabelFittingError: Error, Equatable, Sendable {
    /// They need a disk of so many bytes; there are others, or, for an MBR, no more that it can name.
    case tooSmall(neededByteCount: UInt64, availableByteCount: UInt64)
    /// An extended partition has the size that its logical ones need.
    case cannotResize(number: UInt32)
}

/// How large a partition is to be on another disk.
package enum PartitionSize: Equatable, Sendable {
    case bytes(UInt64)
    /// What the others leave. For one partition at most.
    case rest
}

extension DiskLabel {
    /// Partitions that move begin at multiples of it, and those that are resized end there: erase blocks and stripes of all that there is.
    package static let alignment: UInt64 = 1 << 20
    /// An MBR counts in 32 bits.
    private static let sectorCountMax: UInt64 = 1 << 32

    /// The same partitions on a disk of another size.
    ///
    /// They stay where they are as long as they fit. Those whose place is taken by one that grew move up, those behind the new end move down, and those behind the
    /// one that takes the rest move to the end; that one itself moves down where it would have little. An extended partition moves with all that it holds, and follows the sizes of its logical ones; what is free behind the last of them it gives up
    /// only if there is no other room.
    /// - Parameter sizes: by number of the partition; the others keep theirs. Sizes are rounded down to whole sectors.
    /// - Precondition: `check` accepts the label.
    package func fitted(to byteCount: UInt64, sectorByteCount: UInt32, sizes: [UInt32: PartitionSize] = [:]) throws(LabelFittingError) -> DiskLabel {
        precondition(sizes.values.count { $0 == .rest } <= 1, "one partition takes the rest")
        if let fixed = partitions.first(where: { sizes[$0.number] != nil && $0.role == .extended }) { throw .cannotResize(number: fixed.number) }
        let room = LabelRoom(self, byteCount, sectorByteCount)
        let order = partitions.indices.filter { partitions[$0].role != .logical }.sorted { partitions[$0].range.lowerBound < partitions[$1].range.lowerBound }
        var needed: UInt64 = 0
        for isTight in [false, true] {
            var extended = ExtendedLayout(self, sizes, sectorByteCount: sectorByteCount, isTight: isTight)
            var packing = pack(order, extended, room, sizes, sectorByteCount)
            needed = max(packing.neededLimit, room.leastLimit) + room.tail
            guard needed <= room.available, packing.fit() else { continue }
            var fitted = self
            for (block, index) in zip(packing.blocks, order) {
                fitted.partitions[index].range = block.start..<block.end
                guard extended?.index == index else { continue }
                extended?.grow(to: block.byteCount)
                extended?.place(at: block.start, in: &fitted)
            }
            if kind == .gpt {
                fitted.firstUsableSector = room.first / UInt64(sectorByteCount)
                fitted.lastUsableSector = room.limit / UInt64(sectorByteCount) - 1
            }
            return fitted
        }
        throw .tooSmall(neededByteCount: needed, availableByteCount: room.available)
    }

    private func pack(_ order: [Int], _ extended: ExtendedLayout?, _ room: LabelRoom, _ sizes: [UInt32: PartitionSize], _ sectorByteCount: UInt32) -> PartitionPacking {
        let blocks = order.map { index in
            let range = partitions[index].range
            if let extended, extended.index == index { return PartitionBlock(start: range.lowerBound, byteCount: extended.byteCount, alignedOffset: extended.alignedOffset) }
            return PartitionBlock(
                start: range.lowerBound,
                byteCount: DiskLabel.byteCount(sizes[partitions[index].number], instead: range.upperBound - range.lowerBound, UInt64(sectorByteCount)))
        }
        let restPlace = order.firstIndex { index in extended?.index == index ? extended?.takesRest == true : sizes[partitions[index].number] == .rest }
        let restByteCount = restPlace.map { partitions[order[$0]].range.upperBound - partitions[order[$0]].range.lowerBound } ?? 0
        return PartitionPacking(blocks, restPlace: restPlace, restByteCount: restByteCount, from: room.first, to: room.limit)
    }

    /// Of a partition that had `old`. One that takes the rest has the least that it can have so far: it stands in nobody's way.
    static func byteCount(_ size: PartitionSize?, instead old: UInt64, _ sector: UInt64) -> UInt64 {
        switch size {
        case .bytes(let byteCount): max(1, min(byteCount, DiskLayoutLimits.diskByteCountMax) / sector) * sector
        case .rest: alignment
        case nil: old
        }
    }

    /// What the label leaves to partitions, in bytes of the disk.
    private struct LabelRoom {
        /// Partitions that move do not begin before. In front of those of an MBR stands what boots them.
        let first: UInt64
        let limit: UInt64
        /// A limit that leaves room for the label itself and one sector.
        let leastLimit: UInt64
        /// What the label takes behind the limit.
        let tail: UInt64
        /// How much of the disk can be used at all.
        let available: UInt64

        init(_ label: DiskLabel, _ byteCount: UInt64, _ sectorByteCount: UInt32) {
            let sector = UInt64(sectorByteCount)
            let end = byteCount / sector * sector
            switch label.kind {
            case .gpt:
                let tableSectors = LabelWriter.tableSectorCount(label, sectorByteCount: sectorByteCount)
                first = max(label.firstUsableSector ?? 0, 2 + tableSectors) * sector
                tail = (tableSectors + 1) * sector
                limit = end > tail ? end - tail : 0
                (leastLimit, available) = (first + sector, end)
            case .mbr:
                first = DiskLabel.alignment
                tail = 0
                // What reaches farther than anybody promises may do so further on.
                limit = min(end, max(DiskLabel.sectorCountMax * sector, label.partitions.map(\.range.upperBound).max() ?? 0))
                (leastLimit, available) = (2 * sector, limit)
            }
        }
    }
}
