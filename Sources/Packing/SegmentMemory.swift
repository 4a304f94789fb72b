package import Bytes
import RepositoryFormat
import Threading

/// Memory of a segment, which goes back to where it came from.
package final class SegmentMemory: Sendable {
    package let buffer: AlignedBuffer
    private let pool: SegmentBuffers?

    /// - Parameter pool: nil for memory that is used once.
    init(_ buffer: AlignedBuffer, of pool: SegmentBuffers?) {
        self.buffer = buffer
        self.pool = pool
    }

    deinit { pool?.giveBack(buffer) }
}

/// Memory of one size, used again: freed by one thread and drawn by another it would pile up in the allocator, and the kernel would zero each page anew.
package final class SegmentBuffers: Sendable {
    private let byteCapacity: Int
    private let free = Monitor<[AlignedBuffer]>([])

    init(byteCapacity: Int) { self.byteCapacity = byteCapacity }

    /// For full segments, as they are stored or as they decode.
    package convenience init() { self.init(byteCapacity: PackLayout.segmentByteCount + 2 * PackLayout.smallSegmentStep) }

    /// Room for `byteCount` bytes. Who needs half of the size or less and keeps it, or more than all of it, gets what it needs, and that is used once.
    package func take(_ byteCount: Int, isKept: Bool = true) -> SegmentMemory {
        guard byteCount > byteCapacity / 2 || !isKept, byteCount <= byteCapacity else { return SegmentMemory(AlignedBuffer(byteCapacity: max(byteCount, 1)), of: nil) }
        return SegmentMemory(free.withLock { $0.popLast() } ?? AlignedBuffer(byteCapacity: byteCapacity), of: self)
    }

    func giveBack(_ buffer: AlignedBuffer) { free.withLock { $0.append(buffer) } }
}
