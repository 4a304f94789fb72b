/// What is in a repository, in bytes and pieces.
public struct RepositoryStatistics: Sendable {
    public var snapshotCount = 0
    /// Sum of the sizes of all images of all snapshots.
    public var imageByteCount: UInt64 = 0
    /// Chunks in the index, and their plaintext.
    public var chunkCount = 0
    public var chunkByteCount: UInt64 = 0
    public var dataPackCount = 0
    public var dataPackByteCount: UInt64 = 0
    public var mapPackCount = 0
    public var mapPackByteCount: UInt64 = 0
    public var indexObjectCount = 0
    public var indexByteCount: UInt64 = 0
    /// Everything else: config, keys, snapshots, marks.
    public var otherByteCount: UInt64 = 0

    public init() {}

    public var storedByteCount: UInt64 { dataPackByteCount + mapPackByteCount + indexByteCount + otherByteCount }
}

/// How much of one image changed between two snapshots.
public struct ImageDifference: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case changed
        case same
        case added
        case removed
    }

    public var image: String
    public var kind: Kind
    public var oldByteCount: UInt64?
    public var newByteCount: UInt64?
    /// Bytes of the new image that are not the same in the old one at the same place.
    public var changedByteCount: UInt64
    /// The same as ranges of the new image, joined; at most 10 000, in order.
    public var changedRanges: [Range<UInt64>]
}
