import DiskImages
import ImageFixtures
import Synchronization

/// Bytes in memory, and which of them were read.
final class CountedImageReader: ImageReader {
    private let reader: MemoryImageReader
    private let unreadable: Range<UInt64>
    private let dying: Range<UInt64>
    private let state = Mutex<[Range<UInt64>]>([])

    /// - Parameter dying: what can be read once.
    init(_ bytes: [UInt8], reportsZeros: Bool = false, unreadable: Range<UInt64> = 0..<0, dying: Range<UInt64> = 0..<0) {
        self.dying = dying
        reader = MemoryImageReader(bytes, reportsZeros: reportsZeros)
        self.unreadable = unreadable
    }

    var byteCount: UInt64 { reader.byteCount }
    /// In the order of the reads.
    var ranges: [Range<UInt64>] { state.withLock { $0 } }
    var readByteCount: UInt64 { ranges.reduce(0) { $0 + UInt64($1.count) } }

    func wasRead(_ place: UInt64) -> Bool { ranges.contains { $0.contains(place) } }

    func extent(at offset: UInt64) throws(ImageError) -> ImageExtent { try reader.extent(at: offset) }

    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        let range = offset..<offset + UInt64(bytes.count)
        if range.overlaps(unreadable) { throw .unreadable(path: "memory", offset: max(offset, unreadable.lowerBound), reason: "a dead sector") }
        let dead = range.clamped(to: dying)
        if !dead.isEmpty, ranges.contains(where: { $0.overlaps(dead) }) { throw .unreadable(path: "memory", offset: dead.lowerBound, reason: "a sector that has died") }
        state.withLock { $0.append(range) }
        return try reader.read(at: offset, into: &bytes)
    }
}
