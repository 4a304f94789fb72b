import CLinux
import Glibc
import Sealing

/// Files that hold secrets.
enum SecretFile {
    /// The whole file, or a failure if it is larger. The caller wipes it. Others who may read it are a reason for a warning.
    static func read(_ path: String, byteCountMax: Int, console: Console) throws(Failure) -> [UInt8] {
        let file = unsafe holdfast_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0 else { throw Failure("\(path): it cannot be opened (\(SystemCall.reason))") }
        defer { _ = close(file) }
        var status = stat()
        if unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 != 0 {
            console.warn("\(path): other users may read this secret; “chmod 600” keeps them out")
        }
        var bytes = [UInt8](repeating: 0, count: byteCountMax + 1)
        guard let byteCount = SystemCall.readAll(into: &bytes, from: file) else {
            throw Failure("\(path): reading failed (\(SystemCall.reason))")
        }
        guard byteCount <= byteCountMax else {
            bytes.wipe()
            throw Failure("\(path): it has more than \(byteCountMax) bytes; a password or key file is shorter")
        }
        // In place: nothing is copied to another array.
        bytes.removeLast(bytes.count - byteCount)
        return bytes
    }

    /// Makes a new file that only its owner may read; durable when this returns. Wipes `bytes`.
    static func create(_ path: String, _ bytes: inout [UInt8]) throws(Failure) {
        defer { bytes.wipe() }
        let file = unsafe holdfast_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            if errno == EEXIST { throw Failure("\(path): it exists and is not overwritten; name another file") }
            throw Failure("\(path): it cannot be made (\(SystemCall.reason))")
        }
        var number = SystemCall.writeAll(bytes, to: file)
        if number == 0, fsync(file) != 0, errno != EINVAL { number = errno }
        if close(file) != 0, number == 0 { number = errno }
        guard number == 0 else {
            unsafe unlink(path)
            throw Failure("\(path): writing failed (\(SystemCall.reason(number)))")
        }
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }
}
