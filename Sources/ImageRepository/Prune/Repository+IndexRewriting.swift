import Packing
import RepositoryFormat
import Storage

extension Repository {
    /// Ordering 16: index objects that name packs that are gone are written anew without them.
    ///
    /// Returns how many. To be called only when a copy of all that lives was found.
    func dropAbsentPacks() throws(RepositoryError) -> Int {
        var named: [(object: ObjectName, packs: [ObjectName])] = []
        for info in try storing({ () throws(StorageError) in try storage.list(.index) }) {
            do throws(RepositoryError) {
                named.append((info.name, try readIndex(info.name).packs.map(Repository.name)))
            } catch {
                // Another prune has rewritten it.
                if case .storage(.notFound) = error { continue }
                throw error
            }
        }
        var listed: Set<ObjectName> = []
        for kind in [ObjectKind.packs, .maps] {
            for info in try storing({ () throws(StorageError) in try storage.list(kind) }) { listed.insert(info.name) }
        }
        var absent: Set<ObjectName> = []
        for pack in Set(named.flatMap(\.packs)).subtracting(listed) {
            if try storing({ () throws(StorageError) in try storage.stat(pack) }) == nil { absent.insert(pack) }
        }
        let inputs = named.filter { !absent.isDisjoint(with: $0.packs) }.map(\.object)
        guard !inputs.isEmpty else { return 0 }
        for name in inputs {
            let packs = try readIndex(name).packs.filter { !absent.contains(Repository.name($0)) }
            if !packs.isEmpty { try putIndex(packs) }
        }
        try storing { () throws(StorageError) in try storage.barrier() }
        for name in inputs { try storing { () throws(StorageError) in try storage.delete(name) } }
        try storing { () throws(StorageError) in try storage.barrier() }
        return inputs.count
    }

    private static func name(_ pack: IndexDocument.Pack) -> ObjectName { pack.directory.kind == .data ? .pack(pack.id) : .mapPack(pack.id) }
}
