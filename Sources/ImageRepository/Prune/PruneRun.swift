import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage

/// One prune: the maintainer's steps, 9 to 16 of Specs/ordering.md. It may be interrupted anywhere; the next one goes on.
final class PruneRun {
    /// Each round frees something for the next to copy into, where room is short.
    private static let roundCountMax = 64

    private let repository: Repository
    private let options: PruneOptions
    private let cancellation: Cancellation
    private var report = PruneReport()
    private var storage: any StorageBackend { repository.storage }

    init(_ repository: Repository, _ options: PruneOptions, _ cancellation: Cancellation) {
        self.repository = repository
        self.options = options
        self.cancellation = cancellation
    }

    func run() throws(RepositoryError) -> PruneReport {
        // Ordering 15: what an earlier prune began comes first.
        for (id, list) in try openLists().lists where list.kind == .prune { try adopt(id, list) }
        try dropStrayRecords()
        // What a dead session left is nobody's from here on.
        _ = try repository.settleSessions()
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
        for name in names where name.leaf.hasSuffix(".sessions") {
            guard let id = RandomID(hexadecimal: name.leaf.dropLast(".sessions".count)), !names.contains(.condemned(id)) else { continue }
            try storing { () throws(StorageError) in try storage.delete(name) }
        }
    }

    /// Lists of packs that were found damaged, once none of these is there any more.
    private func dropDamagedLists() throws(RepositoryError) {
        for (id, list) in try openLists().lists where list.kind == .damaged {
            try storing { () throws(StorageError) in
                for pack in list.packs where try storage.stat(pack) != nil { return }
                try storage.delete(.condemned(id))
            }
        }
    }

    /// For the next time that the device is full. Where there is no room for it now, the next prune tries again.
    private func holdReserve() {
        do throws(StorageError) {
            if let room = try storage.availableByteCount(), room > PruneOptions.spareByteCount { try storage.holdReserve() }
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
    private func openLists() throws(RepositoryError) -> CondemnedLists {
        let lists = try repository.readCondemnedLists()
        if let failure = lists.failure { throw failure }
        return lists
    }

    // MARK: The plan

    func plan() throws(RepositoryError) -> PrunePlan { try planned(readsCopies: false).plan }

    /// - Parameter readsCopies: whether a copy must have been read before others are given up for it.
    private func planned(readsCopies: Bool) throws(RepositoryError) -> PlannedPrune {
        let lists = try openLists().lists
        let (snapshots, doomed) = try repository.snapshotsAndDoomed()
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
            guard loaded.index.locations(use.id).contains(where: { loaded.listed[loaded.index.pack($0.pack).name] != nil }) else { throw .missingChunk(use.id) }
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
    private func soundIndex() throws(RepositoryError) -> LoadedIndex {
        let loaded = try repository.loadIndex(trustsCache: false)
        if let failure = loaded.condemnedFailure { throw failure }
        if let problem = loaded.problems.first(where: { $0.severity == .error && !$0.object.hasPrefix("condemned/") }) {
            throw .damaged(object: problem.object, reason: "\(problem.reason); nothing is deleted while it is not known what is where")
        }
        return loaded
    }

    private func walk(_ snapshots: [Snapshot], _ index: ChunkIndex, _ use: @escaping (ChunkUse) throws(RepositoryError) -> Void) throws(RepositoryError) {
        var walk = LiveWalk(repository.segmentReader(index), cancellation, use: use)
        for snapshot in snapshots { try walk.walk(snapshot.manifest) }
    }

    // MARK: Lists

    /// Ordering 10: the list is durable before sessions are listed.
    private func condemn(_ list: CondemnedList) throws(RepositoryError) {
        let id = Sodium.randomID()
        let name = ObjectName.condemned(id)
        let early = Mutant.listsSessionsBeforeCondemning.isActive ? try repository.settleSessions() : nil
        let object = repository.sealer.seal(list.body, repository.sealer.repositoryBinding(.condemnedList, name: name.path))
        guard try storing({ () throws(StorageError) in try storage.claimWithReserve(name, object) }) == .created else {
            throw .invalid("\(name): the name is taken; the random generator of this machine repeats itself")
        }
        try workOff(id, list, early)
    }

    /// Ordering 15. The list of another counts as one's own does: once its name is durable.
    private func adopt(_ id: RandomID, _ list: CondemnedList) throws(RepositoryError) {
        guard try storing({ () throws(StorageError) in try storage.stat(.condemned(id)) }) != nil else { return }
        try storing { () throws(StorageError) in try storage.barrier() }
        try workOff(id, list)
    }

    /// From the listing of sessions on, for whoever made the list.
    private func workOff(_ id: RandomID, _ list: CondemnedList, _ early: [OpenSession]? = nil) throws(RepositoryError) {
        try cancellation.check()
        // Ordering 10, 15
        let running = if let early { early } else { try repository.sessionsAwaited(by: id) }
        guard running.isEmpty || Mutant.waitsForNobody.isActive else {
            report.waitsFor = running
            return
        }
        // Ordering 11: other lists, final marks, manifests and marks anew, the index, packs.
        let others = try openLists().lists.filter { $0.id != id }.reduce(into: Set<ObjectName>()) { $0.formUnion($1.list.packs) }
        if !Mutant.marksFinalAfterRemark.isActive { try setFinalMarks() }
        var roots = try repository.snapshotsAndDoomed().all
        if Mutant.marksFinalAfterRemark.isActive {
            let doomed = try repository.snapshotsAndDoomed().doomed
            roots.removeAll { doomed.contains($0.id) }
        }
        let loaded = try soundIndex()
        if Mutant.deletesBeforeVerdict.isActive { for pack in list.packs { try storing { () throws(StorageError) in try storage.delete(pack) } } }
        let verdict = try decide(id, list, try spared(list, roots, loaded, others))
        if Mutant.marksFinalAfterRemark.isActive { try setFinalMarks() }
        if Mutant.deletesListBeforePacks.isActive { try storing { () throws(StorageError) in try storage.delete(.condemned(id)) } }
        // Ordering 14
        try deleteFinishedManifests()
        let spared = verdict.sparesAll ? list.packs : Set(verdict.sparedDataPacks.map(ObjectName.pack) + verdict.sparedMapPacks.map(ObjectName.mapPack))
        report.sparedPackCount += spared.count
        for pack in list.packs.subtracting(spared).sorted(by: { $0.path < $1.path }) {
            try storing { () throws(StorageError) in try storage.delete(pack) }
            if let info = loaded.listed[pack] { report.deleted.add(info.byteCount) }
        }
        try storing { () throws(StorageError) in
            try storage.barrier()
            try storage.delete(.awaitedSessions(id))
            try storage.delete(.condemned(id))
            try storage.barrier()
        }
    }

    /// Ordering 12: the packs on the list that hold the only copies of something that lives.
    private func spared(
        _ list: CondemnedList, _ roots: [Snapshot], _ loaded: LoadedIndex, _ others: Set<ObjectName>
    ) throws(RepositoryError) -> Verdict {
        let index = loaded.index
        let own = list.packs
        var lacking: [PackDirectory.Kind: Set<ChunkID>] = [:]
        func isSafe(_ location: ChunkLocation) -> Bool {
            let pack = index.pack(location.pack)
            if Mutant.ignoresOtherLists.isActive { return loaded.listed[pack.name] != nil && !own.contains(pack.name) }
            return pack.isCounting && !others.contains(pack.name) && !own.contains(pack.name)
        }
        try walk(roots, index) { use throws(RepositoryError) in
            if !index.locations(use.id).contains(where: isSafe) { lacking[use.kind, default: []].insert(use.id) }
        }
        guard !lacking.isEmpty, !Mutant.skipsRemark.isActive else { return Verdict(sparedDataPacks: [], sparedMapPacks: []) }
        // What is on the own list is told by the packs themselves.
        let packs = PackFile(storage: storage, sealer: repository.sealer, verifier: repository.verifier)
        var verdict = Verdict(sparedDataPacks: [], sparedMapPacks: [])
        var found: [PackDirectory.Kind: Set<ChunkID>] = [:]
        for (id, info) in loaded.listedPacks where own.contains(info.name) {
            let kind: PackDirectory.Kind = info.name.kind == .packs ? .data : .map
            guard let wanted = lacking[kind] else { continue }
            do throws(PackingError) {
                let directory = try packs.readDirectory(info, kind)
                let held = Set(directory.segments.flatMap(\.chunks).map(\.id)).intersection(wanted)
                guard !held.isEmpty else { continue }
                found[kind, default: []].formUnion(held)
            } catch {
                // It may hold what is lacking, for all that can be told.
                guard case .damaged = error else { throw RepositoryError(error) }
            }
            if kind == .data { verdict.sparedDataPacks.append(id) } else { verdict.sparedMapPacks.append(id) }
        }
        for (kind, ids) in lacking {
            // A copy on another list is that list's to spare; one in a pack that is not there is none.
            for id in ids.subtracting(found[kind] ?? []) where !index.locations(id).contains(where: { loaded.listed[index.pack($0.pack).name] != nil }) {
                throw .missingChunk(id)
            }
        }
        return verdict
    }

    /// Ordering 13: the first decision counts, whoever made it.
    private func decide(_ id: RandomID, _ list: CondemnedList, _ verdict: Verdict) throws(RepositoryError) -> Verdict {
        let name = ObjectName.verdict(id)
        let object = repository.sealer.seal(verdict.body, repository.sealer.repositoryBinding(.verdict, name: name.path))
        let outcome = try storing { () throws(StorageError) in try storage.claimWithReserve(name, object) }
        return outcome == .created || Mutant.ignoresVerdict.isActive ? verdict : try repository.readVerdict(id)
    }

    // MARK: Snapshots

    /// Nothing is condemned, so there is no list: a final mark alone takes nothing away from anybody.
    private func finishSnapshots() throws(RepositoryError) {
        try setFinalMarks()
        try deleteFinishedManifests()
    }

    private func setFinalMarks() throws(RepositoryError) {
        let doomed = try repository.snapshotsAndDoomed().doomed
        guard !doomed.isEmpty else { return }
        let (states, problems) = try repository.readMarks()
        if let problem = problems.first(where: { $0.severity == .error }) { throw .damaged(object: problem.object, reason: problem.reason) }
        for id in doomed {
            guard let state = states[id], !state.isDoubtful, state.isForgotten, !state.isProtected || Mutant.endsProtected.isActive, !state.isFinal else { continue }
            // Occupied: somebody brought it back, or ended it, at this moment.
            if try repository.claimMark(.final, id, number: state.nextNumber) == .created { report.snapshotCount += 1 }
        }
    }

    /// Never an abort record (Ordering 1), which has no final mark.
    private func deleteFinishedManifests() throws(RepositoryError) {
        let final = try repository.readMarks().states.filter(\.value.isFinal).keys
        guard !final.isEmpty else { return }
        let present = Set(try storing { () throws(StorageError) in try storage.list(.snapshots) }.map(\.name))
        let finished = final.filter { present.contains(.snapshot($0)) }
        guard let first = finished.first else { return }
        // Marks that another has set are durable with the folder in which they are; a manifest must not go before them.
        try storing { () throws(StorageError) in
            _ = try storage.stat(.mark(first, 0))
            try storage.barrier()
        }
        for id in finished {
            try storing { () throws(StorageError) in try storage.delete(.snapshot(id)) }
        }
    }
}
