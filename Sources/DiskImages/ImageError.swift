/// What can go wrong with a source or a target.
public enum ImageError: Error, Equatable, Sendable {
    case notFound(path: String)
    case accessDenied(path: String)
    /// The path is neither a file nor a block device.
    case unsuitable(path: String, reason: String)
    /// The medium could not deliver the bytes at `offset`.
    case unreadable(path: String, offset: UInt64, reason: String)
    /// A stream broke off, or the command behind it failed.
    case incomplete(source: String, reason: String)
    /// The target is mounted, or somebody else holds it.
    case inUse(path: String, reason: String)
    case tooSmall(path: String, byteCount: UInt64, needed: UInt64)
    /// The file system of the target is full.
    case full(path: String)
    case failed(path: String, operation: String, reason: String)
}

extension ImageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notFound(let path): "\(path): there is no such file or device"
        case .accessDenied(let path): "\(path): permission denied; run as a user who may open it"
        case .unsuitable(let path, let reason): "\(path): \(reason)"
        case .unreadable(let path, let offset, let reason): "\(path): cannot be read at byte \(offset) (\(reason))"
        case .incomplete(let source, let reason): "\(source): \(reason)"
        case .inUse(let path, let reason): "\(path): it is in use (\(reason))"
        case .tooSmall(let path, let byteCount, let needed): "\(path): it has \(byteCount) bytes, and the image needs \(needed)"
        case .full(let path): "\(path): no space is left on its file system"
        case .failed(let path, let operation, let reason): "\(path): \(operation) failed (\(reason))"
        }
    }
}
