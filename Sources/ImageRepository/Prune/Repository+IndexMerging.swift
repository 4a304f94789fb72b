import Bytes
import Packing
import RepositoryFormat
import Storage

extension Repository {
    /// Ordering 16: index objects that name packs that are gone, and small ones if there are many, are written anew, together.
    ///
    /// Returns how many there were. To be called only when a copy of all that lives was found.
    func mergeIndex() throws(RepositoryError) -> Int {
        let stale = Mutant.mergesFromStaleListing.isActive ? try listedPacks() : nil
        var named: [(object: ObjectName, packs: [ObjectName])] = []
        for info in try storing({ () throws(StorageError) in try storage.list(.index) }).sorted(by: { $0.name.path < $1.name.path }) where info.name.isKnown {
            do throws(RepositoryError) {
                named.append((info.name, try readIndex(info.name).packs.map(\.name)))
            } catch {
                // Another prune has rewritten it.
                if case .storage(.notFound) = error { continue }
                throw error
            }
        }
        let absent = try absentPacks(of: named.flatMap(\.packs), stale)
        let small = named.filter { $0.packs.count < Repository.packsPerIndex / 2 }
        let mergesSmall = small.count >= PruneOptions.smallIndexCount
        let inputs = named.filter { !absent.isDisjoint(with: $0.packs) || mergesSmall && $0.packs.count < Repository.packsPerIndex / 2 }.map(\.object)
        guard !inputs.isEmpty else { return 0 }
        var pending: [IndexDocument.Pack] = []
        var written: Set<ObjectName> = []
        for name in inputs {
            pending += try readIndex(name).packs.filter { !absent.contains($0.name) && written.insert($0.name).inserted }
            if Mutant.deletesIndexBeforeMerging.isActive { try storing { () throws(StorageError) in try storage.delete(name) } }
            while pending.count >= Repository.packsPerIndex {
                try putIndex(Array(pending.prefix(Repository.packsPerIndex)))
                pending.removeFirst(Repository.packsPerIndex)
            }
        }
        try putIndex(pending)
        try storing { () throws(StorageError) in try storage.barrier() }
        for name in inputs { try storing { () throws(StorageError) in try storage.delete(name) } }
        try storing { () throws(StorageError) in try storage.barrier() }
        return inputs.count
    }

    /// Those that are neither listed nor found.
    private func absentPacks(of named: [ObjectName], _ stale: Set<ObjectName>?) throws(RepositoryError) -> Set<ObjectName> {
        if let stale { return Set(named).subtracting(stale) }
        var absent: Set<ObjectName> = []
        for pack in Set(named).subtracting(try listedPacks()) {
            if try storing({ () throws(StorageError) in try storage.stat(pack) }) == nil { absent.insert(pack) }
        }
        return absent
    }

    private func listedPacks() throws(RepositoryError) -> Set<ObjectName> {
        var listed: Set<ObjectName> = []
        for kind in [ObjectKind.packs, .maps] {
            for info in try storing({ () throws(StorageError) in try storage.list(kind) }) { listed.insert(info.name) }
        }
        return listed
    }
}
