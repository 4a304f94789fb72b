public import Bytes
public import RepositoryFormat

/// A committed manifest, verified, and what marks say of it.
public struct Snapshot: Sendable {
    public let manifest: Manifest
    /// SHA-256 of the object.
    public let digest: Digest
    /// The slot that signed it.
    public let slot: SlotID
    public let isForgotten: Bool
    public let isProtected: Bool
    /// Its last mark is of a key that may not set it, or was removed since, or cannot be read: nobody but a person decides what becomes of it.
    public let isDoubtful: Bool

    public var id: SnapshotID { manifest.snapshot }
}

/// Which snapshot is meant: an id prefix, `latest`, or `latest:HOST`.
public struct SnapshotSelector: Sendable, Equatable {
    public var text: String
    /// Only snapshots of that host; nil for any.
    public var host: String?
    /// Only snapshots with all of these.
    public var tags: [String]
    /// For `latest`: only snapshots that have an image of that name; nil for any.
    public var image: String?

    public init(_ text: String, host: String? = nil, tags: [String] = [], image: String? = nil) {
        self.text = text
        self.image = image
        self.host = host
        self.tags = tags
    }
}

/// All snapshots in the order of their ordinals, and what could not be read.
public struct SnapshotList: Sendable {
    public let snapshots: [Snapshot]
    public let problems: [Problem]
    /// Why there may be a snapshot that could not be read. What nobody accepts is not among them.
    let unreadable: [Problem]
    /// Manifests that are there and not among the snapshots, because they cannot be read, or nobody accepts them.
    let unlisted: Set<SnapshotID>
}
