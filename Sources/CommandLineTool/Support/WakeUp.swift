import CLinux
import Glibc

/// A pipe that wakes whoever waits on it, and stays awake.
struct WakeUp: ~Copyable, Sendable {
    /// Readable once `wake` was called.
    let descriptor: Int32
    private let input: Int32

    /// - Throws: where no more files can be opened.
    init() throws(Failure) {
        var ends: [Int32] = [0, 0]
        guard unsafe holdfast_pipe(&ends) == 0 else { throw Failure("no pipe can be opened (\(SystemCall.reason)); let the program open more files, as with “ulimit -n 1024”") }
        (descriptor, input) = (ends[0], ends[1])
    }

    deinit {
        _ = close(descriptor)
        _ = close(input)
    }

    func wake() { _ = SystemCall.writeAll([1], to: input) }

    /// Waits at most so long. Whether `wake` was called.
    func wait(milliseconds: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&request, 1, milliseconds) > 0
    }
}
