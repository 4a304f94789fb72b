import Glibc

/// An open file or folder; closed when its owner lets go of it.
///
/// The answer of close(2) is not looked at, on purpose: what was written was confirmed by fdatasync before anyone relies on
/// it, and on Linux the descriptor is gone whatever close answers.
struct OpenFile: ~Copyable {
    let descriptor: Int32

    init(_ path: String, flags: Int32, mode: UInt32 = 0, calls: FileCalls) throws(ErrorNumber) {
        descriptor = try retryingInterrupts { () throws(ErrorNumber) in try calls.open(path, flags | O_CLOEXEC, mode) }
    }

    deinit { close(descriptor) }

    func status() throws(ErrorNumber) -> FileStatus {
        var information = Glibc.stat()
        guard unsafe fstat(descriptor, &information) == 0 else { throw .last }
        return FileStatus(information)
    }
}
