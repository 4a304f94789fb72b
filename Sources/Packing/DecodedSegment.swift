import Bytes

/// A segment that was fetched, opened and decoded.
@safe
package final class DecodedSegment: Sendable {
    private let memory: SegmentMemory
    private let range: Range<Int>

    /// - Precondition: `range` lies within the memory.
    init(_ range: Range<Int>, of memory: SegmentMemory) {
        precondition(range.lowerBound >= 0 && range.upperBound <= memory.buffer.byteCapacity, "within the memory")
        self.memory = memory
        self.range = range
    }

    package var byteCount: Int { range.count }
    /// What it keeps from others.
    var memoryByteCount: Int { memory.buffer.byteCapacity }
    /// Valid while the segment is.
    package var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: memory.buffer.base + range.lowerBound, count: range.count) }
}
