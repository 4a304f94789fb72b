public import Bytes
import Packing
public import RepositoryFormat
public import Sealing
import Storage

extension Repository {
    /// Adds a slot and returns its id.
    ///
    /// Order (Specs/ordering.md): the key slot is durable before the keyring names it.
    /// - Parameter granting: what the slot may do beyond its role: `.forgetOwn`, `.forgetAny`, `.prune`. The rest needs keys that the role does not have.
    /// - Throws: `.notPermitted` for a key of role backup.
    public func addSlot(
        role: Role, granting capabilities: Set<Capability> = [], credential: Credential, cost: PasswordCost, label: String
    ) throws(RepositoryError) -> SlotID {
        guard capabilities.isSubset(of: [.forgetOwn, .forgetAny, .prune]) else { throw .invalid("only forgetting and pruning can be granted to a key; the rest comes with its role") }
        let (_, rootKey) = try demandRootKey(to: "add keys")
        try permit(.write)
        guard keyrings.current.slots.count < FormatLimits.slotCountMax else { throw .invalid("a repository has at most \(FormatLimits.slotCountMax) keys; remove one") }
        try refuseKnown(credential)
        var (slot, _) = try storeSlot(role: role, credential: credential, cost: cost, label: label)
        slot.capabilities += capabilities.map(\.rawValue).filter { !slot.capabilities.contains($0) }.sorted()
        try keyrings.append({ $0.slots.append(slot) }, key: rootKey)
        _ = pin()
        return slot.id
    }

    /// Removes a slot: it opens no more, and of what it signed only the manifests that are here now are still accepted.
    ///
    /// What its holder copied can still be read by that holder; see Specs/threat-model.md.
    /// - Throws: `.invalid` for the slot that is in use and for the last one of role full.
    public func removeSlot(_ id: SlotID) throws(RepositoryError) {
        guard id != slot else { throw .invalid("slot \(id) is the one in use; open the repository with another key to remove it") }
        try retire(id, adding: nil)
    }

    /// Gives the own role to another password or key file, and removes the slot in use. Returns the new slot.
    public func changeCredential(to credential: Credential, cost: PasswordCost) throws(RepositoryError) -> SlotID {
        _ = try demandRootKey(to: "change keys")
        guard let own = keyrings.current.slot(slot) else { throw .damaged(object: "keyring/\(keyrings.current.number)", reason: "the slot in use is not in it") }
        try refuseKnown(credential)
        let before = try readMarks().states
        let (added, secrets) = try storeSlot(role: own.role, credential: credential, cost: cost, label: own.label)
        try retire(own.id, adding: added)
        try reassertMarks(before, with: DocumentSealer(
            keyspace: secrets.keyspace, repository: secrets.repository, member: sealer.member, slot: added.id, signingKey: secrets.signingKey))
        return added.id
    }

    /// A password in two slots would go on to open the repository after one of them was removed.
    private func refuseKnown(_ credential: Credential) throws(RepositoryError) {
        for slot in keyrings.current.slots {
            do throws(RepositoryError) {
                guard let object = try Repository.readSlot(storage, slot), credential.fits(object.derivation) else { continue }
                _ = try sealing(ObjectName.key(slot.id).path) { () throws(SealingError) in try SlotSecrets(opening: object, slot: slot.id, with: credential) }
            } catch {
                // It does not open this one, or nothing can; what is wrong with that slot is not the matter here.
                if case .storage(.unavailable) = error { throw error }
                continue
            }
            throw .invalid("this password or key file opens slot \(slot.id) already; give a new one")
        }
    }

    private func storeSlot(role: Role, credential: Credential, cost: PasswordCost, label: String) throws(RepositoryError) -> (Keyring.Slot, SlotSecrets) {
        let (dataKeys, rootKey) = try demandRootKey(to: "add keys")
        let secrets = SlotSecrets(
            role: role, repository: secrets.repository, keyspace: secrets.keyspace, slot: SlotID(Sodium.randomID()), signingKey: .random(),
            memberSecrets: secrets.memberSecrets, dataPublicKey: secrets.dataPublicKey, rootPublicKey: secrets.rootPublicKey,
            dataKeys: role == .full ? dataKeys : nil, rootKey: role == .full ? rootKey : nil)
        let slot = try Repository.storeSlot(secrets, credential, cost: cost, label: label, created: timestamp, on: storage)
        try storing { () throws(StorageError) in try storage.barrier() }
        return (slot, secrets)
    }

    private func retire(_ id: SlotID, adding: Keyring.Slot?) throws(RepositoryError) {
        let (_, rootKey) = try demandRootKey(to: "remove keys")
        try permit(.write)
        guard let slot = keyrings.current.slot(id) else { throw .invalid("there is no slot \(id)") }
        let remaining = keyrings.current.slots.filter { $0.id != id } + (adding.map { [$0] } ?? [])
        guard keyrings.current.retired.count < FormatLimits.slotCountMax else { throw .invalid("a repository remembers at most \(FormatLimits.slotCountMax) removed keys") }
        guard remaining.contains(where: { $0.role == .full }) else { throw .invalid("slot \(id) is the last one of role full; without it nothing could be restored") }
        let accepted = try everySnapshot().filter { $0.slot == id }
            .map { Keyring.RetiredSlot.AcceptedManifest(snapshot: $0.id, digest: $0.digest) }
        if Mutant.deletesKeyBeforeKeyring.isActive { try storing { () throws(StorageError) in try storage.delete(.key(id)) } }
        try keyrings.append(
            { keyring in
                keyring.slots = remaining
                keyring.retired.append(.init(slot: slot, manifests: accepted))
            }, key: rootKey)
        _ = pin()
        // Only after the keyring without it is durable.
        try storing { () throws(StorageError) in try storage.delete(.key(id)) }
    }

    /// All snapshots that can be believed. Unlike a listing it throws where the storage does not answer: a manifest that is passed over
    /// when its slot is removed is never accepted again.
    private func everySnapshot() throws(RepositoryError) -> [Snapshot] {
        let list = try snapshots(includingForgotten: true)
        var all = list.snapshots
        for id in list.unlisted {
            do throws(RepositoryError) {
                if let snapshot = try readSnapshot(id, nil) { all.append(snapshot) }
            } catch {
                switch error {
                case .storage(.notFound), .storage(.tooLarge): continue
                case .storage: throw error
                default: continue
                }
            }
        }
        return all
    }

    private func demandRootKey(to operation: String) throws(RepositoryError) -> (DataKeyPair, SigningKey) {
        guard let dataKeys = secrets.dataKeys, let rootKey = secrets.rootKey else { throw .notPermitted(operation: operation, role: role) }
        return (dataKeys, rootKey)
    }
}
