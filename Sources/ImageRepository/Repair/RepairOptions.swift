public struct RepairOptions: Sendable {
    /// How thoroughly damage is looked for first.
    public var data = CheckOptions.Data.structure
    public var threadCount: Int?
    /// Only find out what would be done.
    public var isDryRun = false
    /// Give up for good the snapshots whose manifests are missing or damaged. Until then a prune deletes nothing, as it cannot know what they need.
    public var dropsLostSnapshots = false

    public init() {}
}
