import Bytes
import DiskImages
import RepositoryFormat

/// How far a band is what the parent has there.
struct UnchangedScan {
    /// Of the parent; they cover the band up to `position`.
    var entries: [MapEntry] = []
    var position = 0
    /// All of the parent's entries of the band.
    var parent: [MapEntry]
}

/// Recognises unchanged bands while they are read: each piece is compared while it is in the processor's cache, and goes nowhere else.
///
/// The reader's thread uses it. What it does not recognise a worker looks at again, with all the ways of a worker.
final class UnchangedScanner {
    /// Read at once: a part of a core's second-level cache.
    private static let pieceByteCount = 256 << 10

    private let parent: ParentMaps
    private let matcher: ParentMatcher
    private let reader: any ImageReader
    private let buffer = AlignedBuffer(byteCapacity: Int(FormatLimits.chunkByteCountMax))

    init(_ parent: ParentMaps, _ matcher: ParentMatcher, _ reader: any ImageReader) {
        self.parent = parent
        self.matcher = matcher
        self.reader = reader
    }

    /// - Parameters:
    ///   - zerosEnd: up to where the source is known to hold nothing from a place in the image on.
    ///   - read: told after each read how many bytes it had.
    ///   - recognised: told of bytes that are unchanged, and of how many of them had to be read.
    func scan(
        _ band: UInt64, start: UInt64, byteCount: Int, zerosEnd: (UInt64) throws(RepositoryError) -> UInt64?,
        read: (_ byteCount: Int) throws(RepositoryError) -> Void, recognised: (_ byteCount: Int, _ readByteCount: Int) -> Void
    ) throws(RepositoryError) -> UnchangedScan {
        var scan = UnchangedScan(parent: parent.entries(band))
        while scan.entries.count < scan.parent.count {
            let entry = scan.parent[scan.entries.count]
            guard scan.position + Int(entry.byteCount) <= byteCount else { return scan }
            switch entry.kind {
            case .data:
                // What has become a hole is no data any more.
                guard try zerosEnd(start + UInt64(scan.position)) == nil else { return scan }
                let group = group(scan, byteCount)
                let before = scan.position
                guard try fetch(at: start + UInt64(before), group.byteCount) else { return scan }
                try read(group.byteCount)
                for entry in group.entries {
                    let bytes = unsafe UnsafeRawBufferPointer(start: buffer.base + (scan.position - before), count: Int(entry.byteCount))
                    guard unsafe matcher.compare(entry, bytes) == .same else { break }
                    scan.entries.append(entry)
                    scan.position += Int(entry.byteCount)
                }
                recognised(scan.position - before, scan.position - before)
                guard scan.position == before + group.byteCount else { return scan }
            case .zero:
                guard let readByteCount = try zeros(start + UInt64(scan.position), Int(entry.byteCount), zerosEnd, read) else { return scan }
                recognised(Int(entry.byteCount), readByteCount)
                scan.entries.append(entry)
                scan.position += Int(entry.byteCount)
            case .unused, .excluded, .unreadable, .map, .node: return scan
            }
        }
        return scan
    }

    /// The data entries from the scan's place on that are read together; at least one.
    private func group(_ scan: UnchangedScan, _ limit: Int) -> (entries: ArraySlice<MapEntry>, byteCount: Int) {
        var byteCount = 0
        var end = scan.entries.count
        while end < scan.parent.count, scan.parent[end].kind == .data {
            let next = byteCount + Int(scan.parent[end].byteCount)
            guard byteCount == 0 || next <= UnchangedScanner.pieceByteCount, scan.position + next <= limit else { break }
            byteCount = next
            end += 1
        }
        return (scan.parent[scan.entries.count..<end], byteCount)
    }

    /// Whether all of it could be read; what cannot is looked at sector by sector later.
    private func fetch(at offset: UInt64, _ byteCount: Int) throws(RepositoryError) -> Bool {
        do throws(ImageError) {
            return try buffer.withMutableBytes(in: 0..<byteCount) { bytes throws(ImageError) in try reader.read(at: offset, into: &bytes) } == byteCount
        } catch {
            if case .unreadable = error { return false }
            throw .image(error)
        }
    }

    /// How many bytes had to be read to see that all are zero; nil if they are not.
    private func zeros(
        _ offset: UInt64, _ byteCount: Int, _ zerosEnd: (UInt64) throws(RepositoryError) -> UInt64?, _ read: (Int) throws(RepositoryError) -> Void
    ) throws(RepositoryError) -> Int? {
        let end = offset + UInt64(byteCount)
        var position = offset
        var readByteCount = 0
        while position < end {
            if let zerosEnd = try zerosEnd(position) {
                position = min(zerosEnd, end)
                continue
            }
            let count = Int(min(UInt64(UnchangedScanner.pieceByteCount), end - position))
            guard try fetch(at: position, count) else { return nil }
            try read(count)
            guard buffer.isZero(0..<count) else { return nil }
            readByteCount += count
            position += UInt64(count)
        }
        return readByteCount
    }
}
