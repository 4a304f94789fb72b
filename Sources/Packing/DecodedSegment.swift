package import Bytes
import RepositoryFormat
import Threading

/// A segment that was fetched, opened and decoded.
package final class DecodedSegment: Sendable {
    package let bytes: AlignedBuffer
    package let byteCount: Int
    private let pool: SegmentBuffers

    init(byteCount: Int, from pool: SegmentBuffers) {
        bytes = pool.take(byteCount)
        self.byteCount = byteCount
        self.pool = pool
    }

    deinit { pool.giveBack(bytes) }
}

/// Memory of decoded segments, used again: freed by one thread and drawn by another it would pile up in the allocator.
final class SegmentBuffers: Sendable {
    /// Smaller segments, of short sessions, get what they need.
    private static let pooledByteCountMin = PackLayout.segmentByteCount / 2

    private let free = Monitor<[AlignedBuffer]>([])

    func take(_ byteCount: Int) -> AlignedBuffer {
        guard byteCount > SegmentBuffers.pooledByteCountMin, byteCount <= PackLayout.segmentByteCount else {
            return AlignedBuffer(byteCapacity: max(byteCount, 1))
        }
        return free.withLock { $0.popLast() } ?? AlignedBuffer(byteCapacity: PackLayout.segmentByteCount)
    }

    func giveBack(_ buffer: AlignedBuffer) {
        if buffer.byteCapacity == PackLayout.segmentByteCount { free.withLock { $0.append(buffer) } }
    }
}
