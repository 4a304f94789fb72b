import Bytes
import DiskImages
import Glibc
import Synchronization

/// Writes bands to a target: what differs, if the target holds something like it already; in order, if it must.
final class RestoreTarget: Sendable {
    /// Compared and written at once.
    static let pieceByteCount = 1 << 20
    /// Written at least: what devices and file systems write anyway.
    private static let blockByteCount = 4096

    let writer: any ImageWriter
    private let isBlank: Bool
    let pace: ComparisonPace
    let writtenByteCount = Atomic<UInt64>(0)
    private let discards: Atomic<Bool>
    private let discarded = Atomic<UInt64>(0)

    /// - Parameters:
    ///   - discards: whether the writer is to let go of what nobody needs.
    ///   - averageChunkByteCount: of what is to be written.
    init(_ writer: any ImageWriter, discards: Bool, averageChunkByteCount: Int) {
        self.writer = writer
        pace = ComparisonPace(averageChunkByteCount: averageChunkByteCount)
        self.discards = Atomic(discards)
        isBlank = writer.isBlank
    }

    /// Whether the target holds something that may be what is to be written.
    var isWorthComparing: Bool { !writer.isOrdered && !isBlank }

    /// Bytes that the target let go of; nil where it has no such thing, or was not asked to.
    var discardedByteCount: UInt64? { discards.load(ordering: .relaxed) ? discarded.load(ordering: .relaxed) : nil }

    /// What nobody needs is left as it is, unless the target is to let go of it.
    func discard(at offset: UInt64, byteCount: UInt64) throws(ImageError) {
        guard discards.load(ordering: .relaxed), !isBlank else { return }
        if try writer.discard(at: offset, byteCount: byteCount) {
            discarded.add(byteCount, ordering: .relaxed)
        } else {
            discards.store(false, ordering: .relaxed)
        }
    }

    /// Puts the bytes of `buffer` in `range`, which begin at `offset` in the image, onto the target.
    func write(_ buffer: AlignedBuffer, _ range: Range<Int>, at offset: UInt64, compare: AlignedBuffer) throws(ImageError) {
        guard isWorthComparing else { return try put(buffer, range, at: offset) }
        var position = range.lowerBound
        while position < range.upperBound {
            let piece = position..<min(position + RestoreTarget.pieceByteCount, range.upperBound)
            let place = offset + UInt64(position - range.lowerBound)
            for part in try differences(buffer, piece, at: place, compare) {
                try put(buffer, piece.lowerBound + part.lowerBound..<piece.lowerBound + part.upperBound, at: place + UInt64(part.lowerBound))
            }
            position = piece.upperBound
        }
    }

    /// Parts of a piece that are to be written, counted from its start: all of it, if the target is not to be compared there, or cannot be read.
    private func differences(_ buffer: AlignedBuffer, _ piece: Range<Int>, at place: UInt64, _ compare: AlignedBuffer) throws(ImageError) -> [Range<Int>] {
        let whole = [0..<piece.count]
        guard pace.compares(next: piece.count) else { return whole }
        var parts = whole
        if let start = try read(place..<place + UInt64(piece.count), into: compare) {
            parts = unsafe RestoreTarget.differences(compare.base + start, buffer.base + piece.lowerBound, piece.count, Int(place % UInt64(RestoreTarget.blockByteCount)))
        }
        pace.note(piece.count, isAnythingEqual: parts != whole)
        return parts
    }

    /// Blocks that differ, neighbours joined. `distance` bytes before what is compared a block begins.
    static func differences(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ byteCount: Int, _ distance: Int) -> [Range<Int>] {
        if unsafe memcmp(left, right, byteCount) == 0 { return [] }
        var parts: [Range<Int>] = []
        var position = 0
        while position < byteCount {
            let end = min(byteCount, position + blockByteCount - (distance + position) % blockByteCount)
            if unsafe memcmp(left + position, right + position, end - position) != 0 {
                if let last = parts.last, last.upperBound == position { parts[parts.count - 1] = last.lowerBound..<end } else { parts.append(position..<end) }
            }
            position = end
        }
        return parts
    }

    func writeZeros(at offset: UInt64, byteCount: UInt64, compare: AlignedBuffer) throws(ImageError) {
        if isBlank { return }
        if writer.isOrdered { return try zero(offset, byteCount) }
        var position: UInt64 = 0
        while position < byteCount {
            let count = Int(min(UInt64(RestoreTarget.pieceByteCount), byteCount - position))
            let place = offset + position
            if try !isFoundZero(place..<place + UInt64(count), compare) { try zero(place, UInt64(count)) }
            position += UInt64(count)
        }
    }

    private func isFoundZero(_ place: Range<UInt64>, _ compare: AlignedBuffer) throws(ImageError) -> Bool {
        if writer.isHole(place) { return true }
        let byteCount = Int(place.upperBound - place.lowerBound)
        guard pace.compares(next: byteCount) else { return false }
        let isZero = try read(place, into: compare).map { compare.isZero($0..<$0 + byteCount) } ?? false
        pace.note(byteCount, isAnythingEqual: isZero)
        return isZero
    }

    /// Reads what the target holds, in whole blocks; nil where it ends before, or cannot be read: that is written.
    ///
    /// - Parameter place: at most as long as the buffer, less two blocks.
    /// - Returns: where in the buffer it begins.
    func read(_ place: Range<UInt64>, into buffer: AlignedBuffer) throws(ImageError) -> Int? {
        do throws(ImageError) { return try readBlocks(of: place, into: buffer) } catch {
            if case .unreadable = error { return nil }
            throw error
        }
    }

    /// The same, but that what cannot be read is an error.
    func readBlocks(of place: Range<UInt64>, into buffer: AlignedBuffer) throws(ImageError) -> Int? {
        let block = UInt64(RestoreTarget.blockByteCount)
        let first = place.lowerBound / block * block
        let end = (place.upperBound + block - 1) / block * block
        let count = try buffer.withMutableBytes(in: 0..<Int(end - first)) { bytes throws(ImageError) in try writer.read(at: first, into: &bytes) }
        return count >= Int(place.upperBound - first) ? Int(place.lowerBound - first) : nil
    }

    /// Writes the bytes of `buffer` in `range`.
    func put(_ buffer: AlignedBuffer, _ range: Range<Int>, at offset: UInt64) throws(ImageError) {
        try buffer.withBytes(byteCount: range.upperBound) { bytes throws(ImageError) in
            try writer.write(bytes.extracting(range), at: offset)
        }
        writtenByteCount.add(UInt64(range.count), ordering: .relaxed)
    }

    private func zero(_ offset: UInt64, _ byteCount: UInt64) throws(ImageError) {
        try writer.writeZeros(at: offset, byteCount: byteCount)
        writtenByteCount.add(byteCount, ordering: .relaxed)
    }
}
