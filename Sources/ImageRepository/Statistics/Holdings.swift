public import Bytes

/// Who needs what is stored. Bytes as stored, with each chunk's share of its segment.
public struct Holdings: Sendable {
    public struct Share: Sendable, Equatable {
        public internal(set) var snapshotCount = 0
        /// Needed by no other machine: what forgetting all its snapshots would free.
        public internal(set) var aloneByteCount: UInt64 = 0
    }

    /// Needed by no other snapshot: what forgetting this one would free.
    public internal(set) var snapshots: [SnapshotID: UInt64] = [:]
    public internal(set) var hosts: [String: Share] = [:]
    /// Needed by several machines.
    public internal(set) var sharedByteCount: UInt64 = 0
    /// Needed by nobody: what a prune would free.
    public internal(set) var unheldByteCount: UInt64 = 0
}
