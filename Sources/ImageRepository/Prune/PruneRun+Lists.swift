import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage

/// Condemned lists: made, adopted, decided and carried out. Ordering 10 to 15.
extension PruneRun {
    /// Ordering 10: the list is durable before sessions are listed. After one that has to wait no other part is condemned.
    func condemn(_ list: CondemnedList) throws(RepositoryError) {
        for part in list.parts() where report.waitsFor.isEmpty {
            let early = Mutant.listsSessionsBeforeCondemning.isActive ? try repository.settleSessions(silentAfter: options.silentAfter) : nil
            if let id = try repository.putCondemnedList(part) { try workOff(id, part, early) }
        }
    }

    /// Ordering 15. The list of another counts as one's own does: once its name is durable.
    func adopt(_ id: RandomID, _ list: CondemnedList) throws(RepositoryError) {
        guard try storing({ () throws(StorageError) in try storage.stat(.condemned(id)) }) != nil else { return }
        try storing { () throws(StorageError) in try storage.barrier() }
        try workOff(id, list)
    }

    /// From the listing of sessions on, for whoever made the list.
    private func workOff(_ id: RandomID, _ list: CondemnedList, _ early: [OpenSession]? = nil) throws(RepositoryError) {
        try cancellation.check()
        // Ordering 10, 15
        let running = if let early { early } else { try repository.sessionsAwaited(by: id, silentAfter: options.silentAfter) }
        guard running.isEmpty || Mutant.waitsForNobody.isActive else {
            report.wait(for: running)
            return
        }
        // Ordering 11: other lists, final marks, manifests and marks anew, the index, packs.
        let others = try openLists().lists.filter { $0.id != id }.reduce(into: Set<ObjectName>()) { $0.formUnion($1.list.packs) }
        if !Mutant.marksFinalAfterRemark.isActive { try setFinalMarks() }
        var roots = try snapshotsAndDoomed().all
        if Mutant.marksFinalAfterRemark.isActive {
            let doomed = try snapshotsAndDoomed().doomed
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
        /// Each with a snapshot that needs it.
        var lacking: [PackDirectory.Kind: [ChunkID: SnapshotID]] = [:]
        func isSafe(_ location: ChunkLocation) -> Bool {
            let pack = index.pack(location.pack)
            if Mutant.ignoresOtherLists.isActive { return loaded.listed[pack.name] != nil && !own.contains(pack.name) }
            return pack.isCounting && !others.contains(pack.name) && !own.contains(pack.name)
        }
        try walk(roots, index) { use throws(RepositoryError) in
            if !index.locations(use.id).contains(where: isSafe) { lacking[use.kind, default: [:]][use.id] = use.snapshot }
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
                let held = Set(directory.segments.flatMap(\.chunks).map(\.id)).filter { wanted[$0] != nil }
                guard !held.isEmpty else { continue }
                found[kind, default: []].formUnion(held)
            } catch {
                // It may hold what is lacking, for all that can be told.
                guard error.isLoss else { throw RepositoryError(error) }
            }
            if kind == .data { verdict.sparedDataPacks.append(id) } else { verdict.sparedMapPacks.append(id) }
        }
        for (kind, users) in lacking {
            // A copy on another list is that list's to spare; one in a pack that is not there is none.
            for (id, snapshot) in users where found[kind]?.contains(id) != true && !index.locations(id).contains(where: { loaded.listed[index.pack($0.pack).name] != nil }) {
                throw .lacking(snapshot: snapshot, cause: .missingChunk(id))
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
}
