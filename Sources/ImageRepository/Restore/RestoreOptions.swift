public struct RestoreOptions: Sendable {
    /// Read the target back and compare with the snapshot.
    public var verifies = false
    /// Tell the target which ranges nobody needs, so that a device or a sparse file can let go of them; otherwise they stay as they are.
    public var discards = false
    /// Worker threads; nil for one a core.
    public var threadCount: Int?

    /// How the image is laid out on the target; nil as it was on its source.
    public var fitted: FittedImage?

    public init() {}
}

/// What a restore did.
public struct RestoreReport: Sendable {
    public let imageByteCount: UInt64
    /// Bytes actually written; what the target already held is not, as far as it was compared.
    public let writtenByteCount: UInt64
    /// Bytes that nobody needs and the target let go of; nil where it has no such thing, or it was not asked for.
    public let discardedByteCount: UInt64?
    /// Ranges that were unreadable when the snapshot was made: the target holds zeros there.
    public let unreadable: [Range<UInt64>]
    /// The same, cut where volumes meet.
    public let unreadableParts: [UnreadablePart]
    public let isVerified: Bool
}
