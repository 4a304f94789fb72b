/// Why partitions do not fit onto a disk.
package enum LabelFittingError: Error, Equatable, Sendable {
    /// Their sum, with room for the label.
    case tooSmall(neededByteCount: UInt64)
    /// A partition would have to move, which is not done with a table of this kind.
    case cannotMove(number: UInt32)
}

extension DiskLabel {
    /// Partitions that move begin at multiples of it: erase blocks and stripes of all that there is.
    private static let alignment: UInt64 = 1 << 20

    /// The same partitions on a disk of another size. They stay where they are as long as they fit; those behind the new end move down.
    package func fitted(to byteCount: UInt64, sectorByteCount: UInt32) throws(LabelFittingError) -> DiskLabel {
        var fitted = self
        let sector = UInt64(sectorByteCount)
        let tableSectors = LabelWriter.tableSectorCount(self, sectorByteCount: sectorByteCount)
        let sectorCount = byteCount / sector
        let tail = kind == .gpt ? tableSectors + 1 : 0
        let first = kind == .gpt ? max(firstUsableSector ?? 0, 2 + tableSectors) : 1
        guard sectorCount > first + tail else { throw .tooSmall(neededByteCount: neededByteCount(sectorByteCount)) }
        var limit = (sectorCount - tail) * sector
        let order = partitions.indices.sorted { partitions[$0].range.lowerBound > partitions[$1].range.lowerBound }
        for index in order where partitions[index].range.upperBound > limit || kind == .gpt {
            let range = partitions[index].range
            if range.upperBound > limit {
                guard kind == .gpt else { throw .cannotMove(number: partitions[index].number) }
                let length = range.upperBound - range.lowerBound
                guard length <= limit, (limit - length) / DiskLabel.alignment * DiskLabel.alignment >= first * sector else {
                    throw .tooSmall(neededByteCount: neededByteCount(sectorByteCount))
                }
                let start = (limit - length) / DiskLabel.alignment * DiskLabel.alignment
                fitted.partitions[index].range = start..<start + length
            }
            limit = fitted.partitions[index].range.lowerBound
        }
        if kind == .gpt {
            fitted.firstUsableSector = first
            fitted.lastUsableSector = sectorCount - tail - 1
        }
        return fitted
    }

    /// A disk onto which they surely fit: each at the next multiple of the alignment.
    private func neededByteCount(_ sectorByteCount: UInt32) -> UInt64 {
        let sector = UInt64(sectorByteCount)
        let tableSectors = LabelWriter.tableSectorCount(self, sectorByteCount: sectorByteCount)
        func aligned(_ value: UInt64) -> UInt64 { (value + DiskLabel.alignment - 1) / DiskLabel.alignment * DiskLabel.alignment }
        let start = aligned(max(firstUsableSector ?? 0, 2 + tableSectors) * sector)
        return partitions.reduce(start) { $0 + aligned($1.range.upperBound - $1.range.lowerBound) } + aligned((tableSectors + 1) * sector)
    }
}
