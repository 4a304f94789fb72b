import DiskImages

/// Compares two images byte by byte, with no help from what made them.
enum ImageComparison {
    private static let pieceByteCount: UInt64 = 1 << 20

    /// The offset of the first byte that differs, or the shorter one's end; nil if they are equal.
    static func firstDifference(_ first: String, _ second: String) throws(ImageError) -> UInt64? {
        let (one, other) = (try FileImageReader(path: first), try FileImageReader(path: second))
        let common = min(one.byteCount, other.byteCount)
        var offset: UInt64 = 0
        while offset < common {
            let byteCount = Int(min(pieceByteCount, common - offset))
            let (left, right) = (try read(one, offset, byteCount), try read(other, offset, byteCount))
            if left != right {
                let place = left.indices.first { left[$0] != right[$0] } ?? 0
                return offset + UInt64(place)
            }
            offset += UInt64(byteCount)
        }
        return one.byteCount == other.byteCount ? nil : common
    }

    private static func read(_ reader: FileImageReader, _ offset: UInt64, _ byteCount: Int) throws(ImageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var span = bytes.mutableSpan
        let done = try reader.read(at: offset, into: &span)
        guard done == byteCount else { throw .unreadable(path: reader.identity.path, offset: offset + UInt64(done), reason: "the file became shorter") }
        return bytes
    }
}
