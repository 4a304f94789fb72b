import CLinux
import Glibc

/// An open file, closed when its owner goes. Nothing is lost then: writers call `synchronize` before.
struct FileDescriptor: ~Copyable, Sendable {
    let number: Int32

    init(taking number: Int32) { self.number = number }

    /// Never inherited by other programs; created files belong to their owner alone.
    init(opening path: String, flags: Int32) throws(SystemError) {
        var opened: Int32
        repeat { opened = unsafe holdfast_open(path, flags | O_CLOEXEC, 0o600) } while opened < 0 && errno == EINTR
        guard opened >= 0 else { throw .last }
        number = opened
    }

    deinit { _ = close(number) }

    func status() throws(SystemError) -> FileStatus {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw .last }
        return FileStatus(status)
    }

    /// Fills `bytes` from `offset` on, with as many calls as it takes; fewer bytes only where the file ends.
    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ReadFailure) -> Int {
        try unsafe read(at: offset, into: &bytes) { descriptor, memory, byteCount, place in
            unsafe pread(descriptor, memory, byteCount, place)
        }
    }

    /// The same through a call of the caller's choice, which answers like pread(2).
    func read(
        at offset: UInt64, into bytes: inout MutableSpan<UInt8>,
        calling call: (Int32, UnsafeMutableRawPointer, Int, Int) -> Int
    ) throws(ReadFailure) -> Int {
        let descriptor = number
        return try unsafe bytes.withUnsafeMutableBytes { (memory) throws(ReadFailure) -> Int in
            guard let start = memory.baseAddress else { return 0 }
            var done = 0
            while done < memory.count {
                let result = unsafe call(descriptor, start + done, memory.count - done, Int(offset) + done)
                if result > 0 { done += result; continue }
                if result == 0 { break }
                let error = SystemError.last
                if error.number != EINTR { throw ReadFailure(offset: offset + UInt64(done), error: error) }
            }
            return done
        }
    }

    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
        try unsafe bytes.withUnsafeBytes { (memory) throws(SystemError) in
            guard let start = memory.baseAddress else { return }
            var done = 0
            while done < memory.count {
                let result = unsafe pwrite(number, start + done, memory.count - done, Int(offset) + done)
                if result > 0 { done += result; continue }
                // A device that accepts nothing more without an error has ended.
                let error = result == 0 ? SystemError(number: ENOSPC) : .last
                if error.number != EINTR { throw error }
            }
        }
    }

    /// Writes zeros the slow way, in pieces.
    func writeZeroBytes(at offset: UInt64, byteCount: UInt64) throws(SystemError) {
        var position = offset
        let end = offset + byteCount
        while position < end {
            let pieceByteCount = Int(min(UInt64(zeroBytes.count), end - position))
            try write(zeroBytes.span.extracting(first: pieceByteCount), at: position)
            position += UInt64(pieceByteCount)
        }
    }

    /// Returns when what was written is durable. After a failure it is unknown what is, and a second call does not tell.
    func synchronize() throws(SystemError) {
        guard fsync(number) == 0 else { throw .last }
    }
}

/// A read that failed, and the byte it failed at.
struct ReadFailure: Error {
    let offset: UInt64
    let error: SystemError
}

/// What zeros are written from.
let zeroBytes = [UInt8](repeating: 0, count: 1 << 20)
