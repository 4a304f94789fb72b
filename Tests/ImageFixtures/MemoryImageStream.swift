public import DiskImages
import Synchronization

/// A stream held in memory, which may break off or end in failure.
public final class MemoryImageStream: ImageStream {
    private let contents: [UInt8]
    private let breaksOffAt: Int?
    private let failure: ImageError?
    private let position = Mutex(0)

    /// - Parameters:
    ///   - breaksOffAt: reading beyond this byte throws.
    ///   - failure: what `finish` throws, as a command that failed would.
    public init(_ contents: [UInt8], breaksOffAt: Int? = nil, failure: ImageError? = nil) {
        self.contents = contents
        self.breaksOffAt = breaksOffAt
        self.failure = failure
    }

    public func read(into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        let start = position.withLock { $0 }
        let byteCount = min(bytes.count, contents.count - start)
        if let limit = breaksOffAt, start + byteCount > limit { throw .incomplete(source: "memory", reason: "it broke off") }
        for index in 0..<byteCount { bytes[index] = contents[start + index] }
        position.withLock { $0 = start + byteCount }
        return byteCount
    }

    public func finish() throws(ImageError) {
        if let failure { throw failure }
    }
}
