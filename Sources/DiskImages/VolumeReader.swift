import DiskLayout

/// A contiguous part of an image, as an image of its own. What is free in it reads as zeros, whatever the source holds there.
public final class VolumeReader: ImageReader {
    public let byteCount: UInt64
    private let image: any ImageReader
    private let start: UInt64
    private let free: [Range<UInt64>]

    /// - Parameters:
    ///   - range: within the image.
    ///   - free: ranges of the volume that nothing needs, in order and without overlaps.
    public init(_ image: any ImageReader, range: Range<UInt64>, free: [Range<UInt64>] = []) {
        precondition(range.upperBound <= image.byteCount, "within the image")
        self.image = image
        self.free = free
        start = range.lowerBound
        byteCount = range.upperBound - range.lowerBound
    }

    public func extent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        let next = free.first(endingAfter: offset)
        if let next, next.contains(offset) { return ImageExtent(kind: .unused, end: min(next.upperBound, byteCount)) }
        let found = try image.extent(at: start + offset)
        return ImageExtent(kind: found.kind, end: min(found.end - start, next?.lowerBound ?? byteCount, byteCount))
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        let count = try image.read(at: start + offset, into: &bytes)
        let end = offset + UInt64(count)
        var position = offset
        while position < end, let range = free.first(endingAfter: position), range.lowerBound < end {
            let hidden = range.clamped(to: position..<end)
            var part = bytes._mutatingExtracting(Int(hidden.lowerBound - offset)..<Int(hidden.upperBound - offset))
            part.update(repeating: 0)
            position = hidden.upperBound
        }
        return count
    }

    public func currentByteCount() throws(ImageError) -> UInt64 {
        let current = try image.currentByteCount()
        return current > start ? min(current - start, byteCount) : 0
    }

    public func hasChanged() throws(ImageError) -> Bool { try image.hasChanged() }

    public func prefetch(at offset: UInt64, byteCount: UInt64) { image.prefetch(at: start + offset, byteCount: byteCount) }
}
