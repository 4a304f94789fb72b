import Bytes
import RepositoryFormat
import Sealing
import Storage

/// The condemned lists that are open, as far as they could be read.
struct CondemnedLists {
    var lists: [(id: RandomID, list: CondemnedList)] = []
    var problems: [Problem] = []
    /// The first that could not be read: what it condemns is not known.
    var failure: RepositoryError?

    /// All packs on any of them.
    var packs: Set<ObjectName> { lists.reduce(into: []) { $0.formUnion($1.list.packs) } }
}

extension CondemnedList {
    var packs: Set<ObjectName> { Set(dataPacks.map(ObjectName.pack) + mapPacks.map(ObjectName.mapPack)) }
}

extension Repository {
    /// Reads all condemned lists. One that is signed by somebody who may not is reported and does not count.
    func readCondemnedLists() throws(RepositoryError) -> CondemnedLists {
        var found = CondemnedLists()
        for info in try storing({ () throws(StorageError) in try storage.list(.condemned) }).sorted(by: { $0.name.leaf < $1.name.leaf }) {
            guard let id = RandomID(hexadecimal: info.name.leaf) else { continue }
            do throws(RepositoryError) {
                guard let list = try readCondemnedList(id) else {
                    found.problems.append(Problem(severity: .error, object: info.name.path, reason: "it is signed by a slot that may not condemn packs; it is ignored"))
                    continue
                }
                found.lists.append((id, list))
            } catch {
                // One that is gone has been carried out: its packs are no longer listed.
                if case .storage(.notFound) = error { continue }
                if case .storage(let error) = error { throw .storage(error) }
                found.problems.append(Problem(severity: .error, object: info.name.path, reason: error.reason))
                found.failure = found.failure ?? error
            }
        }
        return found
    }

    /// Ordering 10, 18b: the list is durable when this returns.
    ///
    /// - Returns: nil if the reply was lost, and another maintainer has worked off the list since.
    func putCondemnedList(_ list: CondemnedList) throws(RepositoryError) -> RandomID? {
        let id = Sodium.randomID()
        let name = ObjectName.condemned(id)
        let object = sealer.seal(list.body, sealer.repositoryBinding(.condemnedList, name: name.path))
        guard try storing({ () throws(StorageError) in try storage.claimWithReserve(name, object) }) == .created else {
            if try storing({ () throws(StorageError) in try storage.stat(.verdict(id)) }) != nil { return nil }
            throw .invalid("\(name): the name is taken; the random generator of this machine repeats itself")
        }
        return id
    }

    /// Nil if its signer may not condemn anything.
    private func readCondemnedList(_ id: RandomID) throws(RepositoryError) -> CondemnedList? {
        let name = ObjectName.condemned(id)
        let object = try storing { () throws(StorageError) in try storage.get(name, byteCountMax: UInt64(FormatLimits.condemnedByteCountMax)) }
        let binding = sealer.repositoryBinding(.condemnedList, name: name.path)
        let document = try sealing(name.path) { () throws(SealingError) in try sealer.open(object, binding) }
        let list = try decoding(name.path) { () throws(FormatError) in try CondemnedList(body: document.body) }
        do throws(SealingError) {
            try verifier.verify(document, binding, .lastingCapability(list.kind == .damaged ? .write : .prune))
            return list
        } catch {
            if error == .unknownSigner { return nil }
            throw RepositoryError(error, object: name.path)
        }
    }

    /// What was decided about a list.
    func readVerdict(_ id: RandomID) throws(RepositoryError) -> Verdict {
        let name = ObjectName.verdict(id)
        let object = try storing { () throws(StorageError) in try storage.get(name, byteCountMax: UInt64(FormatLimits.condemnedByteCountMax)) }
        let binding = sealer.repositoryBinding(.verdict, name: name.path)
        let document = try sealing(name.path) { () throws(SealingError) in
            let document = try sealer.open(object, binding)
            try verifier.verify(document, binding, .lastingCapability(.prune))
            return document
        }
        return try decoding(name.path) { () throws(FormatError) in try Verdict(body: document.body) }
    }
}
