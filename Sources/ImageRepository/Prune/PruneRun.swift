import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage

/// One prune: the maintainer's steps, 9 to 16 of Specs/ordering.md. It may be interrupted anywhere; the next one goes on.
final class PruneRun {
    /// Each round frees something for the next to copy into, where room is short.
    private static let roundCountMax = 64

    let repository: Repository
    let options: PruneOptions
    let cancellation: Cancellation
    var report = PruneReport()
    var storage: any StorageBackend { repository.storage }

    init(_ repository: Repository, _ options: PruneOptions, _ cancellation: Cancellation) {
        self.repository = repository
        self.options = options
        self.cancellation = cancellation
    }

    /// May be called again after it failed: the report is of all that was done.
    func run() throws(RepositoryError) -> PruneReport {
        (report.waitsFor, report.problems) = ([], [])
        // Ordering 15: what an earlier prune began comes first.
        for (id, list) in try openLists().lists where list.kind == .prune { try adopt(id, list) }
        try dropStrayRecords()
        // What a dead session left is nobody's from here on.
        _ = try repository.settleSessions(silentAfter: options.silentAfter)
        for _ in 0..<PruneRun.roundCountMax where report.waitsFor.isEmpty {
            guard try round() else { break }
        }
        // Only after the plan, or the end of a list, has found a copy of all that lives.
        if report.waitsFor.isEmpty { report.rewrittenIndexCount = try repository.mergeIndex() }
        if report.waitsFor.isEmpty { try dropDamagedLists() }
        holdReserve()
        return report
    }

    /// A crash may undo the deletion of a record of awaited sessions and not that of its list. Whoever needs one lists the sessions again.
    private func dropStrayRecords() throws(RepositoryError) {
        let names = Set(try storing { () throws(StorageError) in try storage.list(.condemned) }.map(\.name))
        for name in names {
            guard let id = name.awaitingID, !names.contains(.condemned(id)) else { continue }
            try storing { () throws(StorageError) in try storage.delete(name) }
        }
    }

    /// Lists of packs that were found damaged, once none of these is there any more.
    private func dropDamagedLists() throws(RepositoryError) {
        for (id, list) in try openLists().lists where list.kind == .damaged {
            try storing { () throws(StorageError) in
                for pack in list.packs where try storage.stat(pack) != nil { return }
                try storage.delete(.condemned(id))
                try storage.barrier()
            }
        }
    }

    /// For the next time that the device is full. Where there is no room for it now, the next prune tries again.
    private func holdReserve() {
        do throws(StorageError) {
            if let room = try storage.availableByteCount(), room > PruneOptions.reserveRoomByteCount { try storage.holdReserve() }
        } catch {}
    }

    /// Whether another round may be able to do what this one had no room for.
    private func round() throws(RepositoryError) -> Bool {
        let planned = try planned(readsCopies: true)
        if report.plan == nil { report.plan = planned.plan }
        // What needs no copying goes first.
        if !planned.deletedDataPacks.isEmpty || !planned.deletedMapPacks.isEmpty {
            try condemn(CondemnedList(kind: .prune, dataPacks: planned.deletedDataPacks, mapPacks: planned.deletedMapPacks))
        } else if !planned.plan.snapshots.isEmpty {
            try finishSnapshots()
        } else {
            // Left by a prune that was cut off, or put again by a backup whose reply was lost.
            try deleteFinishedManifests()
        }
        guard report.waitsFor.isEmpty else { return false }
        guard !planned.repacked.isEmpty else { return planned.plan.isShortOfRoom && planned.plan.deleted.count > 0 }
        let replaced = try repack(planned)
        return planned.plan.isShortOfRoom && replaced && report.waitsFor.isEmpty
    }

    /// Whether packs were replaced.
    private func repack(_ planned: PlannedPrune) throws(RepositoryError) -> Bool {
        let outcome = try Repacker(repository, options, planned).run(planned.roots, cancellation)
        report.problems += outcome.problems
        report.written.count += outcome.written.count
        report.written.byteCount += outcome.written.byteCount
        guard !outcome.replaced.isEmpty else { return false }
        func ids(_ kind: PackDirectory.Kind) -> [PackID] { outcome.replaced.filter { $0.kind == kind }.map { $0.id } }
        try condemn(CondemnedList(kind: .prune, dataPacks: ids(.data), mapPacks: ids(.map)))
        return true
    }

    /// Ordering 9: a list that cannot be read stops everything.
    func openLists() throws(RepositoryError) -> CondemnedLists {
        let lists = try repository.readCondemnedLists()
        if let failure = lists.failure { throw failure }
        return lists
    }

    // MARK: The plan

    func plan() throws(RepositoryError) -> PrunePlan { try planned(readsCopies: false).plan }

    /// - Parameter readsCopies: whether a copy must have been read before others are given up for it.
    private func planned(readsCopies: Bool) throws(RepositoryError) -> PlannedPrune {
        let lists = try openLists().lists
        let (snapshots, doomed) = try snapshotsAndDoomed()
        let hasSessions = try repository.openSessions().contains { !$0.isGone }
        let loaded = try soundIndex()
        func packs(_ isWanted: (CondemnedList.Kind) -> Bool) -> Set<ObjectName> { lists.filter { isWanted($0.list.kind) }.reduce(into: []) { $0.formUnion($1.list.packs) } }
        let condemned = packs { $0 == .prune }
        let damaged = packs { $0 != .prune }
        let live = LiveChunks(
            loaded.index, isUsable: { loaded.listed[$0.name]?.byteCount == $0.byteCount && !condemned.contains($0.name) }, isSuspect: { damaged.contains($0.name) })
        let roots = snapshots.filter { !doomed.contains($0.id) }
        try walk(roots, loaded.index) { use throws(RepositoryError) in
            if live.insert(use.id) { return }
            // A copy on the list of another prune is that list's to spare; one in a pack that is not there is none.
            guard loaded.index.locations(use.id).contains(where: { loaded.listed[loaded.index.pack($0.pack).name] != nil }) else {
                throw .lacking(snapshot: use.snapshot, cause: .missingChunk(use.id))
            }
        }
        let verifier = CopyVerifier(repository, loaded.index)
        try live.settle { location throws(RepositoryError) in readsCopies ? try verifier.isIntact(location) : true }
        report.problems += verifier.problems
        var planner = PrunePlanner(repository, options, loaded, live)
        var planned = try planner.plan(condemned: condemned, hasSessions: hasSessions)
        planned.roots = roots
        planned.plan.openListCount = lists.count { $0.list.kind == .prune }
        planned.plan.snapshots = snapshots.map(\.id).filter(doomed.contains)
        return planned
    }

    /// Ordering 9, for index objects. The cache is not asked: what is deleted because of it could not come back.
    func soundIndex() throws(RepositoryError) -> LoadedIndex {
        let loaded = try repository.loadIndex(trustsCache: false)
        if let failure = loaded.condemnedFailure { throw failure }
        if let problem = loaded.problems.first(where: { $0.severity == .error && !$0.object.hasPrefix("condemned/") }) {
            throw .damaged(object: problem.object, reason: "\(problem.reason); nothing is deleted while it is not known what is where")
        }
        return loaded
    }

    func walk(_ snapshots: [Snapshot], _ index: ChunkIndex, _ use: @escaping (ChunkUse) throws(RepositoryError) -> Void) throws(RepositoryError) {
        var walk = LiveWalk(repository.segmentReader(index), cancellation, use: use)
        for snapshot in snapshots { try walk.walk(snapshot.manifest) }
    }
}
