import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage

/// The index as the storage shows it now, and what was wrong with parts of it.
struct LoadedIndex {
    let index: ChunkIndex
    let problems: [Problem]
    let indexObjects: [ObjectInfo]
    /// Packs of both kinds that the storage lists, with their sizes.
    let listed: [ObjectName: ObjectInfo]
    /// Packs on condemned lists.
    let condemned: Set<PackID>

    /// The listed packs by name.
    var listedPacks: [(id: PackID, info: ObjectInfo)] {
        listed.values.sorted { $0.name.path < $1.name.path }.compactMap { info in Digest(hexadecimal: info.name.leaf).map { (PackID($0), info) } }
    }
}

extension Repository {
    /// Reads all index objects, then lists packs, in this order (Ordering 3). Packs that are missing or condemned do not count.
    ///
    /// An index object that cannot be read is a problem and not an error: what it named is found missing where it is needed.
    func loadIndex() throws(RepositoryError) -> LoadedIndex {
        let condemned = try readCondemned()
        var problems = condemned.problems
        let objects = try storing { () throws(StorageError) in try storage.list(.index) }
        var documents: [IndexDocument] = []
        for info in objects.sorted(by: { $0.name.leaf < $1.name.leaf }) {
            do throws(RepositoryError) {
                documents.append(try readIndex(info.name))
            } catch {
                if case .storage(.unavailable) = error { throw error }
                problems.append(Problem(severity: .error, object: info.name.path, reason: error.reason))
            }
        }
        var listed: [ObjectName: ObjectInfo] = [:]
        for kind in [ObjectKind.packs, .maps] {
            for info in try storing({ () throws(StorageError) in try storage.list(kind) }) { listed[info.name] = info }
        }
        let index = ChunkIndex()
        for pack in documents.flatMap(\.packs) {
            let name = pack.directory.kind == .data ? ObjectName.pack(pack.id) : .mapPack(pack.id)
            let isThere = listed[name]?.byteCount == pack.directory.packByteCount
            index.add(pack, isCounting: isThere && !condemned.packs.contains(pack.id))
        }
        return LoadedIndex(index: index, problems: problems, indexObjects: objects, listed: listed, condemned: condemned.packs)
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

    /// All packs on condemned lists. A list that cannot be believed is reported and does not count.
    private func readCondemned() throws(RepositoryError) -> (packs: Set<PackID>, problems: [Problem]) {
        var packs: Set<PackID> = []
        var problems: [Problem] = []
        for info in try storing({ () throws(StorageError) in try storage.list(.condemned) }) where !info.name.leaf.hasSuffix(".verdict") {
            do throws(RepositoryError) {
                let list = try readCondemnedList(info.name)
                packs.formUnion(list.dataPacks)
                packs.formUnion(list.mapPacks)
            } catch {
                if case .storage(let error) = error { throw .storage(error) }
                problems.append(Problem(severity: .error, object: info.name.path, reason: error.reason))
            }
        }
        return (packs, problems)
    }

    private func readCondemnedList(_ name: ObjectName) throws(RepositoryError) -> CondemnedList {
        let object = try storing { () throws(StorageError) in try storage.get(name, byteCountMax: UInt64(FormatLimits.condemnedByteCountMax)) }
        let binding = sealer.repositoryBinding(.condemnedList, name: name.path)
        let document = try sealing(name.path) { () throws(SealingError) in try sealer.open(object, binding) }
        let list = try decoding(name.path) { () throws(FormatError) in try CondemnedList(body: document.body) }
        try sealing(name.path) { () throws(SealingError) in
            try verifier.verify(document, binding, .capability(list.kind == "damaged" ? .write : .prune))
        }
        return list
    }

    func segmentReader(_ index: ChunkIndex, cacheByteCount: Int = 64 << 20) -> SegmentReader {
        SegmentReader(index: index, storage: storage, sealer: sealer, dataKeys: dataKeys, cacheByteCount: cacheByteCount)
    }
}
