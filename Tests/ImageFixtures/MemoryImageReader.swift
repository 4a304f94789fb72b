public import DiskImages

/// An image held in memory. Whole zero blocks of 4096 bytes are reported as zero extents on request.
public final class MemoryImageReader: ImageReader {
    public let contents: [UInt8]
    private let reportsZeros: Bool

    public var byteCount: UInt64 { UInt64(contents.count) }

    public init(_ contents: [UInt8], reportsZeros: Bool = false) {
        self.contents = contents
        self.reportsZeros = reportsZeros
    }

    public func extent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        precondition(offset < byteCount, "within the image")
        guard reportsZeros else { return ImageExtent(kind: .data, end: byteCount) }
        let end = min(contents.count, (Int(offset) / 4096 + 1) * 4096)
        let isZero = contents[Int(offset)..<end].allSatisfy { $0 == 0 }
        return ImageExtent(kind: isZero ? .zero : .data, end: UInt64(end))
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        precondition(offset <= byteCount && UInt64(bytes.count) <= byteCount - offset, "within the image")
        unsafe bytes.withUnsafeMutableBytes { memory in
            unsafe contents.withUnsafeBytes { contents in unsafe memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: contents[Int(offset)..<Int(offset) + memory.count])) }
        }
        return bytes.count
    }
}
