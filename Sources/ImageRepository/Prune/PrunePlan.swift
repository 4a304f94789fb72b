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

    /// What one rule has repacked: packs that are replaced by others with what is needed of them. Bytes as stored; of segments that are opened they are estimates.
    public struct Repack: Equatable, Sendable {
        public internal(set) var packs = Packs()
        /// Of segments that are copied as they are.
        public internal(set) var copiedByteCount: UInt64 = 0
        /// Of segments that are opened, and of which a part is stored anew.
        public internal(set) var openedByteCount: UInt64 = 0
        /// What nothing needs.
        public internal(set) var freedByteCount: UInt64 = 0

        mutating func add(_ other: Repack) {
            packs.count += other.packs.count
            packs.byteCount += other.packs.byteCount
            copiedByteCount += other.copiedByteCount
            openedByteCount += other.openedByteCount
            freedByteCount += other.freedByteCount
        }
    }

    /// Forgotten snapshots that go for good.
    public internal(set) var snapshots: [SnapshotID] = []
    /// Packs that nothing needs any more: they are deleted.
    public internal(set) var deleted = Packs()
    /// Packs that stay as they are.
    public internal(set) var kept = Packs()
    /// Packs of which more than `PruneOptions.unusedPercentMax` is needed by nobody.
    public internal(set) var unusedRepack = Repack()
    /// Small packs that are merged.
    public internal(set) var smallRepack = Repack()
    /// What would be repacked too, but for the limit, or for want of room.
    public internal(set) var postponedRepack = Repack()
    /// Room on the device, and not `PruneOptions.repackByteCountMax`, is why something is postponed.
    public internal(set) var isShortOfRoom = false
    /// In the packs that stay: what nothing needs.
    public internal(set) var deadByteCount: UInt64 = 0
    /// The part of it that only a key which reads data could free.
    public internal(set) var sealedDeadByteCount: UInt64 = 0
    /// Packs that no index object names, left alone because they may belong to a session that runs.
    public internal(set) var unindexed = Packs()
    /// Condemned lists that an earlier prune left, and which come first.
    public internal(set) var openListCount = 0
}

/// What a prune did.
public struct PruneReport: Sendable {
    public internal(set) var snapshotCount = 0
    public internal(set) var deleted = PrunePlan.Packs()
    /// Packs that were written with what is needed of others.
    public internal(set) var written = PrunePlan.Packs()
    /// Packs that were condemned and turned out to be needed.
    public internal(set) var sparedPackCount = 0
    /// Index objects written anew because packs that they named are gone, or because they were small.
    public internal(set) var rewrittenIndexCount = 0
    /// Sessions that ran when packs were condemned: those packs are deleted by a prune that runs when they have ended.
    public internal(set) var waitsFor: [OpenSession] = []
    /// Packs that were to be repacked and stay, because not all that is needed of them can be read.
    public internal(set) var problems: [Problem] = []
    /// Nil if an earlier prune's packs still wait.
    public internal(set) var plan: PrunePlan?

    /// Each list waits for sessions of its own.
    mutating func wait(for sessions: [OpenSession]) {
        waitsFor += sessions.filter { session in !waitsFor.contains { $0.id == session.id } }
    }
}
