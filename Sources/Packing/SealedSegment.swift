import Bytes

/// The sealed bytes of a segment in memory.
@safe
package struct SealedSegment: Sendable {
    let memory: SegmentMemory
    let range: Range<Int>

    /// - Precondition: `range` lies within the memory.
    package init(_ range: Range<Int>, of memory: SegmentMemory) {
        precondition(range.lowerBound >= 0 && range.upperBound <= memory.buffer.byteCapacity, "within the memory")
        self.memory = memory
        self.range = range
    }

    /// Valid while the segment is.
    package var bytes: UnsafeMutableRawBufferPointer { unsafe UnsafeMutableRawBufferPointer(start: memory.buffer.base + range.lowerBound, count: range.count) }
}
