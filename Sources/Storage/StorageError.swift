/// Everything a storage backend can answer instead of a result. Each case names the object or folder concerned.
public enum StorageError: Error, Equatable, Sendable {
    /// There is no such object. Never thrown where absence is a normal answer (`stat`, `list`).
    case notFound(ObjectName)
    /// There is nothing at the repository's place at all.
    case noRepository(place: String)
    /// The object ends before the range asked for does.
    case shortObject(ObjectName, byteCount: UInt64, expected: UInt64)
    /// The object is larger than the reader's limit; nothing was read.
    case tooLarge(ObjectName, byteCount: UInt64, limit: UInt64)
    /// The device or the quota is full; nothing is left behind.
    case full(object: String)
    /// The storage refuses for want of permissions.
    case accessDenied(object: String, reason: String)
    /// Nothing can be written, whoever asks: the storage is mounted read-only.
    case readOnly(object: String)
    /// A passing fault; the same call may succeed later.
    case unavailable(object: String, reason: String)
    /// A lasting fault of the storage: an I/O error, a broken file system.
    case failed(object: String, operation: String, reason: String)

    /// Whether the same call may succeed if it is made again.
    public var isRetryable: Bool { if case .unavailable = self { true } else { false } }
}

extension StorageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notFound(let name): "\(name): there is no such object"
        case .noRepository(let place): "\(place): there is no repository here"
        case .shortObject(let name, let byteCount, let expected): "\(name): it has \(byteCount) bytes where \(expected) are needed"
        case .tooLarge(let name, let byteCount, let limit): "\(name): it has \(byteCount) bytes, more than the \(limit) such an object may have"
        case .full(let object): "\(object): no space is left on the storage"
        case .accessDenied(let object, let reason): "\(object): access denied (\(reason))"
        case .readOnly(let object): "\(object): the storage is mounted read-only"
        case .unavailable(let object, let reason): "\(object): the storage does not answer at the moment (\(reason))"
        case .failed(let object, let operation, let reason): "\(object): \(operation) failed (\(reason))"
        }
    }
}
