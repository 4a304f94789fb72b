import Glibc
import Synchronization

/// Restores into a pipe or standard output: in order, zeros included. For one thread at a time.
public final class OutputStreamWriter: ImageWriter {
    public let isOrdered = true
    public let isBlank = false

    private let descriptor: Int32
    private let name: String
    private let position = Atomic<UInt64>(0)

    /// The descriptor stays the caller's and is not closed.
    public init(descriptor: Int32 = 1) {
        self.descriptor = descriptor
        name = descriptor == STDOUT_FILENO ? "standard output" : "descriptor \(descriptor)"
    }

    /// A stream takes any size.
    public func prepare(byteCount: UInt64) throws(ImageError) {}

    public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ImageError) {
        precondition(offset == position.load(ordering: .relaxed), "a stream is written in order")
        try unsafe bytes.withUnsafeBytes { (memory) throws(ImageError) in
            guard let start = memory.baseAddress else { return }
            var done = 0
            while done < memory.count {
                let (result, error) = BrokenPipe.withoutSignal { unsafe Glibc.write(descriptor, start + done, memory.count - done) }
                if result >= 0 { done += result; continue }
                switch error.number {
                case EINTR: continue
                case EAGAIN: try wait()
                case EPIPE:
                    throw .failed(path: name, operation: "write", reason: "whoever read it has stopped reading; the image is incomplete there")
                default: throw error.image(name, "write")
                }
            }
        }
        position.store(offset + UInt64(bytes.count), ordering: .relaxed)
    }

    public func writeZeros(at offset: UInt64, byteCount: UInt64) throws(ImageError) {
        let zeros = zeroBytes
        var place = offset
        let end = offset + byteCount
        while place < end {
            let pieceByteCount = Int(min(UInt64(zeros.count), end - place))
            try write(zeros.span.extracting(first: pieceByteCount), at: place)
            place += UInt64(pieceByteCount)
        }
    }

    /// - Throws: `.unsuitable`, always: what went into a stream is gone.
    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        throw .unsuitable(path: name, reason: "a stream cannot be read back")
    }

    /// Durable only where the stream is a file; a pipe has nothing to make durable.
    public func finish() throws(ImageError) {
        guard fsync(descriptor) != 0 else { return }
        let error = SystemError.last
        guard error.number == EINVAL || error.number == EROFS || error.number == ENOTSUP else { throw error.image(name, "fsync") }
    }

    /// Whoever gave us the descriptor may have made it non-blocking.
    private func wait() throws(ImageError) {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&request, 1, -1) < 0, errno != EINTR else { return }
        throw SystemError.last.image(name, "poll")
    }
}
