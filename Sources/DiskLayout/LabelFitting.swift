/// Why partitions do not fit onto a disk.
package enum LabelFittingError: Error, Equatable, Sendable {
    /// Their sum, with room for the label.
    case tooSmall(neededByteCount: UInt64)
    /// A partition would have to move, which is not done with a table of this kind.
    case cannotMove(number: UInt32)
    /// A logical or extended partition keeps its size.
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

    /// The same partitions on a disk of another size.
    ///
    /// They stay where they are as long as they fit. Those whose place is taken by one that grew move up, those behind the new end move down, and those behind the
    /// one that takes the rest move to the end.
    /// - Parameter sizes: by number of the partition; the others keep theirs. Sizes are rounded down to whole sectors.
    package func fitted(to byteCount: UInt64, sectorByteCount: UInt32, sizes: [UInt32: PartitionSize] = [:]) throws(LabelFittingError) -> DiskLabel {
        precondition(sizes.values.count { $0 == .rest } <= 1, "one partition takes the rest")
        if let fixed = partitions.first(where: { sizes[$0.number] != nil && ($0.role == .logical || $0.role == .extended) }) { throw .cannotResize(number: fixed.number) }
        let room = try self.room(byteCount, sectorByteCount)
        var fitted = self
        let order = partitions.indices.filter { partitions[$0].role != .logical }.sorted { partitions[$0].range.lowerBound < partitions[$1].range.lowerBound }
        let restPlace = order.firstIndex { sizes[partitions[$0].number] == .rest }
        for index in order { if case .bytes(let size) = sizes[partitions[index].number] { fitted.resize(index, to: size, sectorByteCount) } }
        // Whoever takes the rest stands in nobody's way meanwhile.
        if let restPlace { fitted.resize(order[restPlace], to: DiskLabel.alignment, sectorByteCount) }
        fitted.pushUp(order)
        var limit = room.upperBound
        for (place, index) in order.enumerated().reversed() {
            let isBehindRest = restPlace.map { place > $0 } ?? false
            if isBehindRest || fitted.partitions[index].range.upperBound > limit {
                guard kind == .gpt else { throw .cannotMove(number: partitions[index].number) }
                guard fitted.moveDown(index, below: limit, room) else { throw .tooSmall(neededByteCount: neededByteCount(sectorByteCount, sizes)) }
            }
            limit = fitted.partitions[index].range.lowerBound
        }
        if let restPlace {
            let index = order[restPlace]
            let end = restPlace + 1 < order.count ? fitted.partitions[order[restPlace + 1]].range.lowerBound : room.upperBound
            let start = fitted.partitions[index].range.lowerBound
            fitted.partitions[index].range = start..<max(start + DiskLabel.alignment, end / DiskLabel.alignment * DiskLabel.alignment)
        }
        if kind == .mbr, let index = order.first(where: { fitted.partitions[$0].range.lowerBound != partitions[$0].range.lowerBound }) {
            throw .cannotMove(number: partitions[index].number)
        }
        if kind == .gpt {
            fitted.firstUsableSector = room.lowerBound / UInt64(sectorByteCount)
            fitted.lastUsableSector = room.upperBound / UInt64(sectorByteCount) - 1
        }
        return fitted
    }

    /// What the label leaves to partitions.
    private func room(_ byteCount: UInt64, _ sectorByteCount: UInt32) throws(LabelFittingError) -> Range<UInt64> {
        let sector = UInt64(sectorByteCount)
        let tableSectors = LabelWriter.tableSectorCount(self, sectorByteCount: sectorByteCount)
        let first = kind == .gpt ? max(firstUsableSector ?? 0, 2 + tableSectors) : 1
        let tail = kind == .gpt ? tableSectors + 1 : 0
        guard byteCount / sector > first + tail else { throw .tooSmall(neededByteCount: neededByteCount(sectorByteCount, [:])) }
        return first * sector..<(byteCount / sector - tail) * sector
    }

    private mutating func resize(_ index: Int, to byteCount: UInt64, _ sectorByteCount: UInt32) {
        let start = partitions[index].range.lowerBound
        partitions[index].range = start..<start + max(1, byteCount / UInt64(sectorByteCount)) * UInt64(sectorByteCount)
    }

    private mutating func pushUp(_ order: [Int]) {
        var end: UInt64 = 0
        for index in order {
            let range = partitions[index].range
            if range.lowerBound < end {
                let start = (end + DiskLabel.alignment - 1) / DiskLabel.alignment * DiskLabel.alignment
                partitions[index].range = start..<start + (range.upperBound - range.lowerBound)
            }
            end = partitions[index].range.upperBound
        }
    }

    /// Answers false where there is no room.
    private mutating func moveDown(_ index: Int, below limit: UInt64, _ room: Range<UInt64>) -> Bool {
        let byteCount = partitions[index].range.upperBound - partitions[index].range.lowerBound
        guard byteCount <= limit else { return false }
        let start = (limit - byteCount) / DiskLabel.alignment * DiskLabel.alignment
        guard start >= room.lowerBound else { return false }
        partitions[index].range = start..<start + byteCount
        return true
    }

    /// A disk onto which they surely fit: each at the next multiple of the alignment.
    private func neededByteCount(_ sectorByteCount: UInt32, _ sizes: [UInt32: PartitionSize]) -> UInt64 {
        let sector = UInt64(sectorByteCount)
        let tableSectors = LabelWriter.tableSectorCount(self, sectorByteCount: sectorByteCount)
        func aligned(_ value: UInt64) -> UInt64 { (value + DiskLabel.alignment - 1) / DiskLabel.alignment * DiskLabel.alignment }
        let start = aligned(max(firstUsableSector ?? 0, 2 + tableSectors) * sector)
        let sum = partitions.filter { $0.role != .logical }.reduce(start) { sum, partition in
            switch sizes[partition.number] {
            case .bytes(let size): sum + aligned(size)
            case .rest: sum + DiskLabel.alignment
            case nil: sum + aligned(partition.range.upperBound - partition.range.lowerBound)
            }
        }
        return sum + aligned((tableSectors + 1) * sector)
    }
}
