import Glibc

/// Reasons and retries of system calls.
enum SystemCall {
    /// What the last call of this thread left in `errno`, in words; to be asked at once.
    static var reason: String { reason(errno) }

    static func reason(_ number: Int32) -> String {
        // The C library's text belongs to this thread and is copied here.
        unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
    }

    /// Writes all of `bytes`.
    ///
    /// - Returns: 0, or the error's number.
    static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        unsafe bytes.withUnsafeBytes { memory in
            var done = 0
            while done < memory.count {
                let result = unsafe write(descriptor, memory.baseAddress! + done, memory.count - done)
                if result >= 0 { done += result; continue }
                if errno == EAGAIN {
                    var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = unsafe poll(&request, 1, -1)
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
    }

    /// Reads until the end or until `bytes` is full.
    ///
    /// - Returns: the number of bytes, or nil after an error, which is then in `errno`.
    static func readAll(into bytes: inout [UInt8], from descriptor: Int32) -> Int? {
        unsafe bytes.withUnsafeMutableBytes { memory in
            var done = 0
            while done < memory.count {
                let result = unsafe read(descriptor, memory.baseAddress! + done, memory.count - done)
                if result == 0 { break }
                if result > 0 { done += result } else if errno != EINTR { return nil }
            }
            return done
        }
    }
}
