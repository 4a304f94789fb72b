import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage

extension Repository {
    /// 64 directories are below 8 MiB as a rule; few enough stay below the limit whatever they hold.
    static let packsPerIndex = 64

    /// Ordering 6: names durable, sizes confirmed, then index objects.
    ///
    /// - Throws: `.storage(.notFound)` for a pack that is gone: a prune takes what no session owns.
    func confirmAndIndex(_ packs: [IndexDocument.Pack]) throws(RepositoryError) {
        guard !packs.isEmpty else { return }
        if !Mutant.skipsBarrierBeforeIndex.isActive { try storing { () throws(StorageError) in try storage.barrier() } }
        for pack in packs where !Mutant.skipsConfirmation.isActive {
            guard let info = try storing({ () throws(StorageError) in try storage.stat(pack.name) }) else { throw .storage(.notFound(pack.name)) }
            guard info.byteCount == pack.directory.packByteCount else {
                throw .damaged(object: pack.name.path, reason: "it was stored and is not there whole; nothing was committed")
            }
        }
        try putIndex(packs)
        try storing { () throws(StorageError) in try storage.barrier() }
    }

    /// Puts index objects that name these packs, which must be durable. A barrier has to follow.
    func putIndex(_ packs: [IndexDocument.Pack]) throws(RepositoryError) {
        var rest = packs[...]
        while !rest.isEmpty {
            let part = rest.prefix(Repository.packsPerIndex)
            rest = rest.dropFirst(part.count)
            try putOneIndex(Array(part))
        }
    }

    /// Halves what would be too large for one index object.
    private func putOneIndex(_ packs: [IndexDocument.Pack]) throws(RepositoryError) {
        let body = IndexDocument(packs: packs).encoded
        if body.count > FormatLimits.indexByteCountMax / 2, packs.count > 1 {
            try putOneIndex(Array(packs[..<(packs.count / 2)]))
            try putOneIndex(Array(packs[(packs.count / 2)...]))
            return
        }
        let object = sealer.seal(body, sealer.repositoryBinding(.index, name: ""))
        _ = try storing { () throws(StorageError) in try storage.put(.index(IndexID(ObjectDigest.of(object))), object.span) }
    }
}

extension IndexDocument.Pack {
    var name: ObjectName { directory.kind == .data ? .pack(id) : .mapPack(id) }
}
