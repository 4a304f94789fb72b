import Bytes
import Packing
import RepositoryFormat
import Storage

/// A plan, and what it rests on.
struct PlannedPrune {
    var plan = PrunePlan()
    let loaded: LoadedIndex
    let live: LiveChunks
    var deletedDataPacks: [PackID] = []
    var deletedMapPacks: [PackID] = []
    /// The snapshots that were marked. What was committed since is not in the index that the plan was made from.
    var roots: [Snapshot] = []
    /// Ordinals of the packs to be repacked.
    var repacked: Set<UInt32> = []
}

/// Decides which packs go, which are repacked, and which stay.
struct PrunePlanner {
    private struct Candidate {
        var pack: UInt32
        var repack: PrunePlan.Repack
        var isSmall: Bool
        /// What copying it costs, in bytes of the storage.
        var cost: UInt64 { repack.packs.byteCount - repack.freedByteCount }
        var gain: Double { Double(repack.freedByteCount) / Double(max(cost, 1)) }
    }

    private let repository: Repository
    private let options: PruneOptions
    private var planned: PlannedPrune
    private var index: ChunkIndex { planned.loaded.index }

    /// - Parameter live: of the same index, settled.
    init(_ repository: Repository, _ options: PruneOptions, _ loaded: LoadedIndex, _ live: LiveChunks) {
        self.repository = repository
        self.options = options
        planned = PlannedPrune(loaded: loaded, live: live)
    }

    /// - Parameters:
    ///   - condemned: packs on lists of prunes, which are left to these.
    ///   - hasSessions: packs that no index names may belong to one.
    mutating func plan(condemned: Set<ObjectName>, hasSessions: Bool) throws(RepositoryError) -> PlannedPrune {
        var candidates: [Candidate] = []
        for (id, info) in planned.loaded.listedPacks where !condemned.contains(info.name) {
            let ordinal = index.ordinal(id)
            if ordinal == nil, hasSessions {
                planned.plan.unindexed.add(info.byteCount)
            } else if let ordinal, planned.live.isNeeded(ordinal) {
                candidates.append(candidate(ordinal, info))
            } else {
                planned.plan.deleted.add(info.byteCount)
                if info.name.kind == .packs { planned.deletedDataPacks.append(id) } else { planned.deletedMapPacks.append(id) }
            }
        }
        try choose(among: candidates)
        return planned
    }

    private func mayOpen(_ kind: PackDirectory.Kind) -> Bool { kind == .map || repository.dataKeys != nil }

    /// What repacking the pack would do.
    private func candidate(_ ordinal: UInt32, _ info: ObjectInfo) -> Candidate {
        let pack = index.pack(ordinal)
        var repack = PrunePlan.Repack()
        repack.packs.add(info.byteCount)
        for (segment, needed) in zip(pack.segments, planned.live.byteCounts(ordinal)) {
            let sealed = UInt64(segment.sealedByteCount)
            switch SegmentFate(segment, needed, options, mayOpen: mayOpen(pack.kind)) {
            case .dropped: repack.freedByteCount += sealed
            case .copied: repack.copiedByteCount += sealed
            case .opened:
                repack.openedByteCount += sealed
                repack.freedByteCount += sealed - sealed * UInt64(needed) / UInt64(segment.decodedByteCount)
            }
        }
        let usual = pack.kind == .data ? PackLayout.dataPackByteCount : PackLayout.mapPackByteCount
        return Candidate(pack: ordinal, repack: repack, isSmall: info.byteCount < UInt64(usual) / PruneOptions.smallPackPart)
    }

    private mutating func choose(among candidates: [Candidate]) throws(RepositoryError) {
        let wasteful = candidates.filter { Double($0.repack.freedByteCount) * 100 > options.unusedPercentMax * Double($0.repack.packs.byteCount) }
        let wastefulPacks = Set(wasteful.map(\.pack))
        var small: [Candidate] = []
        for kind in [PackDirectory.Kind.data, .map] {
            let ofKind = candidates.filter { $0.isSmall && !wastefulPacks.contains($0.pack) && index.pack($0.pack).kind == kind }
            let usual = UInt64(kind == .data ? PackLayout.dataPackByteCount : PackLayout.mapPackByteCount)
            let byteCount = ofKind.reduce(0) { $0 + $1.cost }
            if ofKind.count >= PruneOptions.smallPackCount || ofKind.count > 1 && byteCount >= usual { small += ofKind }
        }
        let room = try storing { () throws(StorageError) in try repository.storage.availableByteCount() }.map { $0 - min($0, PruneOptions.spareByteCount) }
        let limit = min(options.repackByteCountMax ?? .max, room ?? .max)
        // What frees most for its cost comes first.
        let ordered = wasteful.sorted { $0.gain == $1.gain ? $0.pack < $1.pack : $0.gain > $1.gain } + small
        var cost: UInt64 = 0
        for (position, candidate) in ordered.enumerated() {
            guard cost + candidate.cost <= limit else {
                planned.plan.postponedRepack.add(candidate.repack)
                planned.plan.isShortOfRoom = limit == room
                continue
            }
            cost += candidate.cost
            planned.repacked.insert(candidate.pack)
            if position < wasteful.count { planned.plan.unusedRepack.add(candidate.repack) } else { planned.plan.smallRepack.add(candidate.repack) }
        }
        for candidate in candidates where !planned.repacked.contains(candidate.pack) { keep(candidate) }
    }

    private mutating func keep(_ candidate: Candidate) {
        planned.plan.kept.add(candidate.repack.packs.byteCount)
        let pack = index.pack(candidate.pack)
        for (segment, needed) in zip(pack.segments, planned.live.byteCounts(candidate.pack)) where needed < segment.decodedByteCount {
            let dead = UInt64(segment.sealedByteCount) - UInt64(segment.sealedByteCount) * UInt64(needed) / UInt64(segment.decodedByteCount)
            planned.plan.deadByteCount += dead
            if needed > 0, !mayOpen(pack.kind) { planned.plan.sealedDeadByteCount += dead }
        }
    }
}

/// What becomes of a segment when its pack is repacked.
enum SegmentFate {
    case dropped
    /// As it is, unopened.
    case copied
    /// What is needed of it is gathered in new segments.
    case opened

    /// - Parameter needed: bytes of the decoded segment.
    init(_ segment: PackRecord.SegmentPlace, _ needed: UInt32, _ options: PruneOptions, mayOpen: Bool) {
        let unused = Double(segment.decodedByteCount - min(needed, segment.decodedByteCount))
        self = needed == 0 ? .dropped : mayOpen && unused * 100 > options.unusedPercentMax * Double(segment.decodedByteCount) ? .opened : .copied
    }
}
