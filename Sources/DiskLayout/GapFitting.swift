/// Finds where what lies between partitions comes to stand: where it was, and within an extended partition where that is now; as far as no partition stands there.
package struct GapFitting {
    /// What comes from `source` begins at `target`.
    package struct Piece: Equatable, Sendable {
        package var source: Range<UInt64>
        package var target: UInt64
    }

    /// A part of the source, and where on the target it may come to stand.
    private struct Region {
        var source: Range<UInt64>
        var target: UInt64
        /// In order.
        var free: [Range<UInt64>]
    }

    private let regions: [Region]

    /// - Parameter end: up to where there are gaps, on the source and on the target.
    package init(_ old: DiskLabel, _ new: DiskLabel, end: UInt64) {
        let volumes = new.partitions.filter { $0.role != .extended }.map(\.range)
        let extended = [old, new].compactMap { label in label.partitions.first { $0.role == .extended }?.range }
        guard extended.count == 2, extended[0] != extended[1] else {
            regions = [Region(source: 0..<end, target: 0, free: GapFitting.free(in: 0..<end, volumes))]
            return
        }
        let (before, after) = (extended[0], extended[1])
        let outside = GapFitting.free(in: 0..<end, volumes + [after])
        let behind = min(before.upperBound, end)..<end
        regions = [
            Region(source: 0..<min(before.lowerBound, end), target: 0, free: outside),
            // The tables of logical partitions lie here, and count from its start.
            Region(source: before, target: after.lowerBound, free: GapFitting.free(in: after.clamped(to: 0..<end), volumes)),
            Region(source: behind, target: behind.lowerBound, free: outside),
        ]
    }

    /// - Parameter gap: as it stood on the source.
    package func pieces(of gap: Range<UInt64>) -> [Piece] {
        regions.flatMap { region in
            let part = gap.clamped(to: region.source)
            let start = region.target + (part.lowerBound - region.source.lowerBound)
            return region.free.compactMap { free -> Piece? in
                let place = (start..<start + (part.upperBound - part.lowerBound)).clamped(to: free)
                guard !place.isEmpty else { return nil }
                let first = part.lowerBound + (place.lowerBound - start)
                return Piece(source: first..<first + (place.upperBound - place.lowerBound), target: place.lowerBound)
            }
        }
    }

    private static func free(in range: Range<UInt64>, _ partitions: [Range<UInt64>]) -> [Range<UInt64>] {
        var free: [Range<UInt64>] = []
        var start = range.lowerBound
        for partition in partitions.sorted(by: { $0.lowerBound < $1.lowerBound }) where partition.overlaps(range) {
            if start < partition.lowerBound { free.append(start..<partition.lowerBound) }
            start = max(start, partition.upperBound)
        }
        if start < range.upperBound { free.append(start..<range.upperBound) }
        return free
    }
}
