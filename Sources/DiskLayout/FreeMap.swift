/// The parts of a volume that its file system does not use.
///
/// A range that is listed need not be kept: nothing that the file system shows depends on it. What is not listed may be anything.
package struct FreeMap: Equatable, Sendable {
    /// In bytes of the volume, in order, neither overlapping nor touching; bounds are multiples of `DiskLayoutLimits.freeUnitByteCount`.
    package let ranges: [Range<UInt64>]

    package init() { ranges = [] }

    init(trusting ranges: [Range<UInt64>]) { self.ranges = ranges }

    package var byteCount: UInt64 { ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) } }

    /// The first range that ends after `offset`: the one that holds it, or the next.
    ///
    /// - Complexity: logarithmic.
    package func range(endingAfter offset: UInt64) -> Range<UInt64>? { ranges.first(endingAfter: offset) }
}

extension [Range<UInt64>] {
    /// The first of ranges in order that ends after `offset`: the one that holds it, or the next.
    ///
    /// - Complexity: logarithmic.
    package func first(endingAfter offset: UInt64) -> Range<UInt64>? {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if self[middle].upperBound > offset { high = middle } else { low = middle + 1 }
        }
        return low < count ? self[low] : nil
    }
}

/// Collects the free ranges of a volume, whose number nobody knows beforehand, in bounded memory.
package struct FreeMapBuilder {
    private let volumeByteCount: UInt64
    private let rangeCountMax: Int
    private var ranges: [Range<UInt64>] = []
    private var open: Range<UInt64>?
    private var end: UInt64 = 0

    package init(volumeByteCount: UInt64, rangeCountMax: Int = DiskLayoutLimits.freeRangeCountMax) {
        self.volumeByteCount = volumeByteCount
        self.rangeCountMax = rangeCountMax
    }

    /// Adds a range, of any alignment, that begins where the last one ended or later.
    ///
    /// Answers false, and adds nothing, where that is not so, or where it ends outside the volume.
    package mutating func add(_ range: Range<UInt64>) -> Bool {
        guard range.lowerBound >= end, range.upperBound <= volumeByteCount else { return false }
        guard !range.isEmpty else { return true }
        end = range.upperBound
        if let last = open, last.upperBound == range.lowerBound {
            open = last.lowerBound..<range.upperBound
        } else {
            close()
            open = range
        }
        return true
    }

    /// The map of what was added, rounded inwards; of too many ranges the largest.
    package consuming func finish() -> FreeMap {
        close()
        dropSmallest()
        return FreeMap(trusting: ranges)
    }

    private mutating func close() {
        guard let range = open else { return }
        open = nil
        let unit = DiskLayoutLimits.freeUnitByteCount
        let (first, last) = ((range.lowerBound + unit - 1) / unit * unit, range.upperBound / unit * unit)
        guard first < last else { return }
        ranges.append(first..<last)
        if ranges.count >= 2 * rangeCountMax { dropSmallest() }
    }

    private mutating func dropSmallest() {
        guard ranges.count > rangeCountMax else { return }
        let byteCounts = ranges.map { $0.upperBound - $0.lowerBound }.sorted(by: >)
        let smallestKept = byteCounts[rangeCountMax - 1]
        var spare = rangeCountMax - byteCounts[..<rangeCountMax].count { $0 > smallestKept }
        ranges.removeAll { range in
            let byteCount = range.upperBound - range.lowerBound
            if byteCount != smallestKept { return byteCount < smallestKept }
            spare -= 1
            return spare < 0
        }
    }
}
