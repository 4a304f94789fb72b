import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage

/// The index as the storage shows it now, and what was wrong with parts of it.
struct LoadedIndex {
    let index: ChunkIndex
    let problems: [Problem]
    /// Why the cache folder could not be used.
    let warning: String?
    let indexObjects: [ObjectInfo]
    /// Packs of both kinds that the storage lists, with their sizes.
    let listed: [ObjectName: ObjectInfo]
    /// Packs on condemned lists.
    let condemned: Set<ObjectName>
    /// Of those, packs on lists of kind `damaged`.
    let damaged: Set<ObjectName>
    /// A condemned list that could not be read: what it condemns is not known, so nobody may write.
    let condemnedFailure: RepositoryError?
    /// Packs that no index object names and whose directories were read instead.
    var adopted: [IndexDocument.Pack] = []

    /// The listed packs by name.
    var listedPacks: [(id: PackID, info: ObjectInfo)] {
        listed.values.sorted { $0.name.path < $1.name.path }.compactMap { info in Digest(hexadecimal: info.name.leaf).map { (PackID($0), info) } }
    }
}

extension Repository {
    /// Reads the index objects, then lists packs, in this order (Ordering 3). Packs that are missing or condemned do not count.
    ///
    /// An index object that cannot be read is a problem and not an error: what it named is found missing where it is needed.
    /// - Parameters:
    ///   - trustsCache: take what the local index has instead of reading the objects it was made from; otherwise runs are made for this call alone, so that memory
    ///     stays bounded.
    ///   - adoptsOrphans: read the directories of packs that no index object names.
    ///   - batchChunkCount: chunks of index objects held in memory before they go into a run of the local index.
    func loadIndex(
        trustsCache: Bool = true, adoptsOrphans: Bool = false, batchChunkCount: Int = LocalIndex.batchChunkCount
    ) throws(RepositoryError) -> LoadedIndex {
        var gone: Set<ObjectName> = []
        while true {
            let goneBefore = gone
            let loaded = try loadIndex(but: &gone, trustsCache: trustsCache, adoptsOrphans: adoptsOrphans, batchChunkCount: batchChunkCount)
            if gone == goneBefore { return loaded }
        }
    }

    /// - Parameter gone: index objects that are not there though they were listed; found ones are added. A prune deletes one only after those that stand
    ///   in its place are durable (Ordering 16), so a listing made afterwards has them.
    private func loadIndex(
        but gone: inout Set<ObjectName>, trustsCache: Bool, adoptsOrphans: Bool, batchChunkCount: Int
    ) throws(RepositoryError) -> LoadedIndex {
        var condemned = try readCondemnedLists()
        var problems = condemned.problems
        let objects = try storing { () throws(StorageError) in try storage.list(.index) }.filter { !gone.contains($0.name) }
            .sorted { $0.name.leaf < $1.name.leaf }
        try keyrings.refresh()
        let cache = environment.cacheFolder.map { "\($0)/\(id.hexadecimal)" }
        let local = cache.map { trustsCache ? LocalIndex(folder: "\($0)/index") : .scratch(below: $0) }
        defer { if !trustsCache { local?.remove() } }
        var runs = trustsCache ? local?.load(listed: Set(objects.compactMap(\.name.indexID))) ?? [] : []
        let covered = runs.reduce(into: Set<IndexID>()) { $0.formUnion($1.covered) }
        var documents: [(id: IndexID, document: IndexDocument)] = []
        var documentChunkCount = 0
        var warning: String?
        /// Moves what was read into a run of the local index, if there is one.
        func storeLocally() {
            guard let local, warning == nil else { return }
            do throws(LocalIndexError) {
                guard let stored = try local.store(documents, beside: runs) else { return }
                (runs, documents, documentChunkCount) = (stored, [], 0)
            } catch {
                warning = "the cache folder cannot be used, so the index is read from the repository each time (\(error))"
            }
        }
        for info in objects {
            guard let id = info.name.indexID, !covered.contains(id) else { continue }
            do throws(RepositoryError) {
                let document = try readIndex(info.name)
                documents.append((id, document))
                documentChunkCount += document.chunkCount
                if documentChunkCount >= batchChunkCount { storeLocally() }
            } catch {
                if case .storage(.unavailable) = error { throw error }
                if case .storage(.notFound) = error {
                    gone.insert(info.name)
                    continue
                }
                problems.append(Problem(severity: .error, object: info.name.path, reason: error.reason))
            }
        }
        var listed: [ObjectName: ObjectInfo] = [:]
        for kind in [ObjectKind.packs, .maps] {
            for info in try storing({ () throws(StorageError) in try storage.list(kind) }) { listed[info.name] = info }
        }
        if Mutant.readsIndexBeforeCondemned.isActive { condemned = try readCondemnedLists() }
        let condemnedPacks = Mutant.countsCondemnedPacks.isActive ? [] : condemned.packs
        func counts(_ pack: PackRecord) -> Bool {
            listed[pack.name]?.byteCount == pack.byteCount && !condemnedPacks.contains(pack.name) || Mutant.reusesStaleCache.isActive
        }
        // What fits into memory needs no files that nobody reads again.
        if trustsCache || !runs.isEmpty { storeLocally() }
        let index = ChunkIndex(runs: runs)
        index.setCounting(counts)
        for pack in documents.flatMap(\.document.packs) {
            if let known = index.ordinal(pack.id), !index.pack(known).describes(pack.directory) {
                problems.append(Problem(severity: .error, object: index.pack(known).name.path, reason: "two index objects describe it differently"))
            }
            index.add(pack, isCounting: counts(PackRecord(id: pack.id, directory: pack.directory, isCounting: true)))
        }
        var loaded = LoadedIndex(
            index: index, problems: problems, warning: warning, indexObjects: objects, listed: listed, condemned: condemnedPacks,
            damaged: condemned.damagedPacks, condemnedFailure: condemned.failure)
        if adoptsOrphans { loaded.adopted = adoptOrphans(loaded) }
        return loaded
    }

    /// Packs that are listed and in no index object were left by a session that was killed, or belong to one that runs, or their index
    /// object was lost. What they hold is there: it counts, and a session's index names them too.
    private func adoptOrphans(_ loaded: LoadedIndex) -> [IndexDocument.Pack] {
        let packs = PackFile(storage: storage, sealer: sealer, verifier: verifier)
        var adopted: [IndexDocument.Pack] = []
        for (id, info) in loaded.listedPacks where !loaded.index.contains(id) && !loaded.condemned.contains(info.name) {
            do throws(PackingError) {
                // Its name may not be durable yet: what a stat finds is with the next barrier.
                do throws(StorageError) { guard try storage.stat(info.name) != nil else { continue } } catch { throw .storage(error) }
                let pack = IndexDocument.Pack(id: id, directory: try packs.readDirectory(info, info.name.kind == .packs ? .data : .map))
                loaded.index.add(pack, isCounting: true)
                adopted.append(pack)
            } catch {
                // Not adopting it costs space and nothing else; a check reports what is wrong with it.
            }
        }
        return adopted
    }

    func readIndex(_ name: ObjectName) throws(RepositoryError) -> IndexDocument {
        let object = try storing { () throws(StorageError) in try storage.get(name, byteCountMax: UInt64(FormatLimits.indexByteCountMax)) }
        guard ObjectDigest.of(object).hexadecimal == name.leaf else {
            throw .damaged(object: name.path, reason: "its bytes are not those its name stands for")
        }
        let binding = sealer.repositoryBinding(.index, name: "")
        let document = try sealing(name.path) { () throws(SealingError) in
            let document = try sealer.open(object, binding)
            try verifier.verify(document, binding, .anySlot)
            return document
        }
        return try decoding(name.path) { () throws(FormatError) in try IndexDocument(decoding: document.body) }
    }

    func segmentReader(_ index: ChunkIndex, cacheByteCount: Int = 64 << 20) -> SegmentReader {
        SegmentReader(index: index, storage: storage, sealer: sealer, dataKeys: dataKeys, cacheByteCount: cacheByteCount)
    }
}
