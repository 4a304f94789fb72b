import Bytes
import Packing
import RepositoryFormat

extension Repository {
    /// What each snapshot and each machine needs that no other does. Forgotten snapshots need nothing, unless they are protected.
    ///
    /// Reads all maps; each subtree twice at most. Memory: eight bytes for each chunk and 32 for each subtree.
    /// - Throws: for a map that cannot be read.
    public func holdings(cancellation: Cancellation) throws(RepositoryError) -> Holdings {
        let snapshots = try snapshots(includingForgotten: true).snapshots.filter { !$0.isForgotten || $0.isProtected }
        let index = try loadIndex().index
        let count = HoldingsCount(index)
        let hostNumbers = Dictionary(uniqueKeysWithValues: Set(snapshots.map(\.manifest.host)).enumerated().map { ($1, UInt32($0 + 1)) })
        for (number, snapshot) in snapshots.enumerated() {
            let holder = HoldingsCount.Holder(snapshot: UInt32(number + 1), host: hostNumbers[snapshot.manifest.host] ?? 0)
            var walk = LiveWalk(segmentReader(index), cancellation, enters: { count.enters($0, holder) }) { use throws(RepositoryError) in count.add(use.id, holder) }
            try walk.walk(snapshot.manifest)
        }
        let byteCounts = count.byteCounts(snapshotCount: snapshots.count, hostCount: hostNumbers.count)
        var holdings = Holdings()
        for (number, snapshot) in snapshots.enumerated() {
            holdings.snapshots[snapshot.id] = byteCounts.snapshots[number + 1]
            holdings.hosts[snapshot.manifest.host, default: .init()].snapshotCount += 1
        }
        for (host, number) in hostNumbers { holdings.hosts[host]?.aloneByteCount = byteCounts.hosts[Int(number)] }
        holdings.sharedByteCount = byteCounts.shared
        holdings.unheldByteCount = byteCounts.hosts[0]
        return holdings
    }
}

/// Remembers of each stored chunk and each subtree whether one snapshot, and one host, has it alone.
private final class HoldingsCount {
    /// Numbers from 1.
    struct Holder {
        /// Of what more than one has.
        static let several = UInt32.max

        var snapshot: UInt32
        var host: UInt32

        /// Nil if nothing is new.
        func merged(with other: Holder) -> Holder? {
            let merged = Holder(snapshot: Holder.merged(snapshot, other.snapshot), host: Holder.merged(host, other.host))
            return (merged.snapshot, merged.host) == (snapshot, host) ? nil : merged
        }

        private static func merged(_ one: UInt32, _ other: UInt32) -> UInt32 { one == 0 || one == other ? other : several }
    }

    private let index: ChunkIndex
    private var holders: [Holder]
    private var subtrees: [MapSubtree.Identity: Holder] = [:]

    init(_ index: ChunkIndex) {
        self.index = index
        holders = [Holder](repeating: Holder(snapshot: 0, host: 0), count: index.entryNumberLimit)
    }

    /// What several have already, all that is below it is known to be had by several.
    func enters(_ subtree: MapSubtree.Identity, _ holder: Holder) -> Bool {
        let known = subtrees[subtree] ?? Holder(snapshot: 0, host: 0)
        guard let merged = known.merged(with: holder) else { return false }
        subtrees[subtree] = merged
        return true
    }

    func add(_ id: ChunkID, _ holder: Holder) {
        // Of several copies one is held; the others a prune would free.
        guard let entry = index.entries(id).min(by: { $0.location.pack < $1.location.pack }), let merged = holders[entry.number].merged(with: holder) else { return }
        holders[entry.number] = merged
    }

    /// By number; at 0 what nobody has.
    func byteCounts(snapshotCount: Int, hostCount: Int) -> (snapshots: [UInt64], hosts: [UInt64], shared: UInt64) {
        var snapshots = [Double](repeating: 0, count: snapshotCount + 1)
        var hosts = [Double](repeating: 0, count: hostCount + 1)
        var shared = 0.0
        index.forEachEntry { entry in
            let pack = index.pack(entry.location.pack)
            guard pack.isCounting else { return }
            let segment = pack.segments[Int(entry.location.segment)]
            let stored = Double(segment.sealedByteCount) * Double(entry.location.byteCount) / Double(segment.decodedByteCount)
            let holder = holders[entry.number]
            if holder.snapshot != Holder.several { snapshots[Int(holder.snapshot)] += stored }
            if holder.host != Holder.several { hosts[Int(holder.host)] += stored } else { shared += stored }
        }
        return (snapshots.map { UInt64($0) }, hosts.map { UInt64($0) }, UInt64(shared))
    }
}
