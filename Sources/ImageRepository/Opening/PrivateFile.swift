import Bytes
import CLinux
import Glibc
import Sealing

/// Small files of this machine's user: pins, caches. Readable by nobody else, replaced whole.
enum PrivateFile {
    /// Nil if there is no such file.
    static func read(_ path: String, byteCountMax: Int) throws(RepositoryError) -> [UInt8]? {
        let descriptor = unsafe holdfast_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure(path, "cannot be opened")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path, "cannot be read") }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: piece[..<count])
            guard bytes.count <= byteCountMax else { throw .damaged(object: path, reason: "it is larger than such a file can be") }
        }
    }

    /// Writes a new file beside `path`, makes it durable and puts it in the place of what was there. Makes missing folders.
    static func replace(_ path: String, with bytes: [UInt8]) throws(RepositoryError) {
        try makeFolders(above: path)
        let temporary = "\(path).new-\(getpid())"
        let descriptor = unsafe holdfast_open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(temporary, "cannot be made") }
        var failed: RepositoryError?
        var written = 0
        while written < bytes.count, failed == nil {
            let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress! + written, bytes.count - written) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { failed = failure(temporary, "cannot be written") } else { written += count }
        }
        if failed == nil, fsync(descriptor) != 0 { failed = failure(temporary, "cannot be made durable") }
        if close(descriptor) != 0, failed == nil { failed = failure(temporary, "cannot be closed") }
        if failed == nil, unsafe rename(temporary, path) != 0 { failed = failure(path, "cannot be replaced") }
        if let failed {
            unsafe unlink(temporary)
            throw failed
        }
    }

    /// Runs `body` while no other process or thread runs one for the same path.
    static func locked<Result>(_ path: String, _ body: () throws(RepositoryError) -> Result) throws(RepositoryError) -> Result {
        try makeFolders(above: path)
        let lock = "\(path).lock"
        let descriptor = unsafe holdfast_open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure(lock, "cannot be made") }
        defer { close(descriptor) }
        while holdfast_lock(descriptor) != 0 {
            guard errno == EINTR else { throw failure(lock, "cannot be locked") }
        }
        return try body()
    }

    static func makeFolders(above path: String) throws(RepositoryError) {
        var end = path.index(after: path.startIndex)
        while let slash = path[end...].firstIndex(of: "/") {
            let folder = String(path[..<slash])
            if unsafe mkdir(folder, 0o700) != 0, errno != EEXIST { throw failure(folder, "cannot be made") }
            end = path.index(after: slash)
        }
    }

    private static func failure(_ path: String, _ what: String) -> RepositoryError {
        let reason = unsafe String(cString: strerror(errno))
        return .damaged(object: path, reason: "\(what) (\(reason))")
    }
}

extension RepositoryError {
    /// What is wrong, without the object's name where the case has one.
    var reason: String {
        switch self {
        case .damaged(_, let reason): reason
        case .unreadablePins(_, let reason): RepositoryError.unreadablePins(reason)
        case .unknownSigner: "\(SealingError.unknownSigner)"
        case .notSupported(_, let error): "\(error)"
        default: "\(self)"
        }
    }
}
