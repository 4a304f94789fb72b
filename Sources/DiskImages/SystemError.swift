import Glibc

/// Why a system call failed.
struct SystemError: Error, Equatable {
    let number: Int32

    /// What the last call of this thread left in `errno`; to be read at once.
    static var last: SystemError { SystemError(number: errno) }

    var reason: String {
        // The C library keeps the text per thread, and it is copied here.
        unsafe strerror(number).map { text in unsafe String(cString: text) } ?? "error \(number)"
    }

    /// What it means for whoever called `operation` on `path`.
    func image(_ path: String, _ operation: String) -> ImageError {
        switch number {
        case ENOENT, ENOTDIR: .notFound(path: path)
        case EACCES, EPERM: .accessDenied(path: path)
        case EROFS: .unsuitable(path: path, reason: "it is read-only")
        case EBUSY, ETXTBSY: .inUse(path: path, reason: reason)
        case ENOSPC, EDQUOT: .full(path: path)
        default: .failed(path: path, operation: operation, reason: reason)
        }
    }
}
