/// What a prune may leave, and what it may cost.
public struct PruneOptions: Sendable {
    /// Percent of a pack, and of each of its segments, that may hold what nothing needs; above it the rest is copied.
    public var unusedPercentMax: Double = 5
    /// Bytes that are copied at most, beside packs that need no copying; nil for as many as it takes.
    public var repackByteCountMax: UInt64?

    /// Seconds without a sign of life, seen by prunes of this machine, after which a session is ended; nil for never.
    public var silentAfter: Int64? = 24 * 3600

    public init() {}

    /// Packs smaller than this part of the usual size are small.
    static let smallPackPart: UInt64 = 4
    /// So many small packs of a kind are merged; fewer only if they fill a pack.
    static let smallPackCount = 8
    /// Room that is left on the device, for what backups write meanwhile.
    static let spareByteCount: UInt64 = 64 << 20
    /// With so much room there is one for the reserve, which comes first: without it nothing could be deleted from a device that is full once more.
    static let reserveRoomByteCount: UInt64 = 9 << 20
    /// So many small index objects are merged.
    static let smallIndexCount = 8
}
