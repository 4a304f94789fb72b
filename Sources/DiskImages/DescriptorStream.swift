import Glibc

/// Reads an open descriptor to its end.
struct DescriptorStream: Sendable {
    let number: Int32
    /// What messages call it.
    let name: String

    /// Fills `bytes`; fewer only at the end of the stream.
    func read(into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        try unsafe bytes.withUnsafeMutableBytes { (memory) throws(ImageError) -> Int in
            guard let start = memory.baseAddress else { return 0 }
            var done = 0
            while done < memory.count {
                let result = unsafe Glibc.read(number, start + done, memory.count - done)
                if result > 0 { done += result; continue }
                if result == 0 { break }
                switch SystemError.last {
                case let error where error.number == EINTR: continue
                case let error where error.number == EAGAIN: try wait()
                case let error: throw .incomplete(source: name, reason: "reading failed (\(error.reason))")
                }
            }
            return done
        }
    }

    /// Whoever gave us the descriptor may have made it non-blocking.
    private func wait() throws(ImageError) {
        var request = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&request, 1, -1) < 0, errno != EINTR else { return }
        throw .incomplete(source: name, reason: "waiting failed (\(SystemError.last.reason))")
    }
}
