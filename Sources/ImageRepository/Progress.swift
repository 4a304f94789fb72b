public import Synchronization

/// Counts of a running operation, for whoever wants to look. The operation adds, anybody reads, at any time.
public final class ProgressCounters: Sendable {
    /// Bytes of image that are to be gone through; 0 while that is not known, as for a stream.
    public let totalByteCount = Atomic<UInt64>(0)
    /// Bytes of image that are done, holes included.
    public let doneByteCount = Atomic<UInt64>(0)
    /// Bytes read from sources or packs.
    public let readByteCount = Atomic<UInt64>(0)
    /// Plaintext bytes that were not in the repository before.
    public let newByteCount = Atomic<UInt64>(0)
    /// Bytes written to the repository.
    public let storedByteCount = Atomic<UInt64>(0)

    public init() {}
}

/// Asks a running operation to stop at the next good place.
public final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    public init() {}

    public var isCancelled: Bool { flag.load(ordering: .relaxed) }

    /// May be called from any thread, more than once.
    public func cancel() { flag.store(true, ordering: .relaxed) }

    func check() throws(RepositoryError) { if isCancelled { throw .cancelled } }
}

/// Something that is wrong with a repository, and whom it concerns.
public struct Problem: Sendable, Equatable {
    public enum Severity: String, Sendable {
        /// Data is lost, or cannot be trusted.
        case error
        /// Nothing is lost, but somebody should know.
        case warning
    }

    public var severity: Severity
    /// Object name, or what else is concerned.
    public var object: String
    public var reason: String
    /// Full ids of the snapshots that cannot be restored whole because of it.
    public var snapshots: [String]

    public init(severity: Severity, object: String, reason: String, snapshots: [String] = []) {
        self.severity = severity
        self.object = object
        self.reason = reason
        self.snapshots = snapshots
    }
}
