public import Bytes

/// What a prune would do, and why not more.
public struct PrunePlan: Sendable {
    public struct Packs: Equatable, Sendable {
        public var count = 0
        public var byteCount: UInt64 = 0

        mutating func add(_ byteCount: UInt64) {
            count += 1
            self.byteCount += byteCount
        }
    }

    /// Forgotten snapshots that go for good.
    public internal(set) var snapshots: [SnapshotID] = []
    /// Packs that nothing needs any more: they are deleted.
    public internal(set) var deleted = Packs()
    public internal(set) var kept = Packs()
    /// Segments of the packs that are kept of which no chunk is needed: only copying the others would free them.
    public internal(set) var deadSegmentByteCount: UInt64 = 0
    /// Packs that no index object names, left alone because they may belong to a session that runs.
    public internal(set) var unindexed = Packs()
    /// Condemned lists that an earlier prune left, and which come first.
    public internal(set) var openListCount = 0

    var deletedDataPacks: [PackID] = []
    var deletedMapPacks: [PackID] = []
}

/// What a prune did.
public struct PruneReport: Sendable {
    public internal(set) var snapshotCount = 0
    public internal(set) var deleted = PrunePlan.Packs()
    /// Packs that were condemned and turned out to be needed.
    public internal(set) var sparedPackCount = 0
    /// Index objects written anew because packs that they named are gone.
    public internal(set) var rewrittenIndexCount = 0
    /// Sessions that began before the packs were condemned: nothing is deleted until they have ended.
    public internal(set) var waitsFor: [OpenSession] = []
    /// Nil if an earlier prune's packs still wait.
    public internal(set) var plan: PrunePlan?
}
