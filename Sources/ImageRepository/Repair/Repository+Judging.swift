import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage

/// What a second look at an object shows. Nothing is taken away or condemned because of one reading, which a cable may have spoilt.
enum Judgement: Equatable {
    case sound
    case gone
    /// Its bytes were read and are not what they should be.
    case damaged(String)
    /// It could not be read, or is of a kind that this program does not know: nothing is certain.
    case unknown(String)
}

extension Repository {
    /// Reads an object of a kind that a repair may take away, and verifies it.
    ///
    /// - Throws: `.storage` when the storage does not answer.
    func judge(_ name: ObjectName) throws(RepositoryError) -> Judgement {
        do throws(RepositoryError) {
            if let id = name.snapshotID {
                _ = try readSnapshot(id, nil)
            } else if let id = name.sessionID {
                if try readSession(id) == nil { return .gone }
            } else if let id = name.verdictID {
                _ = try readVerdict(id)
            } else if name.condemnedID != nil {
                try verifyList(name)
            } else if name.kind == .index {
                _ = try readIndex(name)
            }
            return .sound
        } catch {
            switch error {
            case .storage(.notFound): return .gone
            case .storage(.unavailable): throw error
            case .damaged: return .damaged(error.reason)
            // What an index object says is believed for its content; of other things it must be known who said them.
            case .unknownSigner where name.kind == .index: return .damaged(error.reason)
            default: return .unknown(error.reason)
            }
        }
    }

    /// Reads a pack again, whole. True if nothing is wrong with it, or if it has gone meanwhile.
    func judgePack(_ info: ObjectInfo, _ id: PackID, _ index: ChunkIndex) throws(RepositoryError) -> Bool {
        try PackChecker(self, index).problem(info, id) == nil
    }

    /// Whether it can be read; who may condemn is another matter.
    private func verifyList(_ name: ObjectName) throws(RepositoryError) {
        let object = try storing { () throws(StorageError) in try storage.get(name, byteCountMax: UInt64(FormatLimits.condemnedByteCountMax)) }
        let binding = sealer.repositoryBinding(.condemnedList, name: name.path)
        let document = try sealing(name.path) { () throws(SealingError) in
            let document = try sealer.open(object, binding)
            try verifier.verify(document, binding, .anySlot)
            return document
        }
        _ = try decoding(name.path) { () throws(FormatError) in try CondemnedList(body: document.body) }
    }
}
