import Bytes

/// An image of which a map says where it reads as zeros.
public final class ZeroedReader: ImageReader {
    private let image: any ImageReader
    /// In order.
    private let zeros: [Range<UInt64>]

    /// - Precondition: both are of one size.
    public init(_ image: any ImageReader, _ map: ChangeMap) {
        precondition(image.byteCount == map.byteCount, "the map is of this image")
        self.image = image
        zeros = map.ranges(of: .zero)
    }

    public var byteCount: UInt64 { image.byteCount }

    public func extent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        let place = zeros.partitionPoint { $0.upperBound > offset }
        let next = place < zeros.count ? zeros[place] : byteCount..<byteCount
        if next.contains(offset) { return ImageExtent(kind: .zero, end: next.upperBound) }
        let found = try image.extent(at: offset)
        return ImageExtent(kind: found.kind, end: min(found.end, next.lowerBound))
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int { try image.read(at: offset, into: &bytes) }

    public func currentByteCount() throws(ImageError) -> UInt64 { try image.currentByteCount() }

    public func hasChanged() throws(ImageError) -> Bool { try image.hasChanged() }

    public func prefetch(at offset: UInt64, byteCount: UInt64) { image.prefetch(at: offset, byteCount: byteCount) }
}
