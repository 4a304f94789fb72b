import Glibc

/// The cache folder cannot be used. Nothing is lost: the index is read from the repository then.
package struct LocalIndexError: Error, Sendable, CustomStringConvertible {
    package let path: String
    package let reason: String

    init(path: String, reason: String) { (self.path, self.reason) = (path, reason) }

    /// Of the system call that failed last.
    init(path: String) { self.init(path: path, reason: unsafe String(cString: strerror(errno))) }

    package var description: String { "\(path): \(reason)" }
}
