import DiskImages
import Glibc
import Synchronization

/// Standard input that can be stopped while nothing comes.
final class StoppableInput: ImageStream {
    private let wakeUp: WakeUp
    private let descriptor: Int32

    init(descriptor: Int32 = STDIN_FILENO) throws(Failure) {
        self.descriptor = descriptor
        wakeUp = try WakeUp()
    }

    /// A waiting reader, and each that comes after, throws.
    func stop() { wakeUp.wake() }

    func read(into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        try unsafe bytes.withUnsafeMutableBytes { (memory) throws(ImageError) -> Int in
            guard let start = memory.baseAddress else { return 0 }
            var done = 0
            while done < memory.count {
                try waitForInput()
                let result = unsafe Glibc.read(descriptor, start + done, memory.count - done)
                if result == 0 { break }
                if result > 0 {
                    done += result
                } else if errno != EINTR, errno != EAGAIN {
                    throw .incomplete(source: "standard input", reason: "reading failed (\(SystemCall.reason))")
                }
            }
            return done
        }
    }

    func finish() throws(ImageError) {}

    private func waitForInput() throws(ImageError) {
        var requests = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while unsafe poll(&requests, 2, -1) < 0 {
            guard errno == EINTR else { throw .incomplete(source: "standard input", reason: "waiting failed (\(SystemCall.reason))") }
        }
        if requests[1].revents != 0 { throw .incomplete(source: "standard input", reason: "the backup was stopped") }
    }
}
