package import Bytes
package import RepositoryFormat

/// Signs and seals documents, and opens them again. Section: Specs/format/objects.md, “Documents”.
package struct DocumentSealer: Sendable {
    package let keyspace: KeyspaceID
    package let repository: RepositoryID
    package let member: MemberKeys
    package let slot: SlotID
    package let signingKey: SigningKey

    package init(keyspace: KeyspaceID, repository: RepositoryID, member: MemberKeys, slot: SlotID, signingKey: SigningKey) {
        self.keyspace = keyspace
        self.repository = repository
        self.member = member
        self.slot = slot
        self.signingKey = signingKey
    }

    package func repositoryBinding(_ type: ObjectType, name: String) -> Binding {
        Binding(type: type, epoch: member.epoch, scope: .repository(keyspace, repository), name: name)
    }

    package func keyspaceBinding(_ type: ObjectType) -> Binding {
        Binding(type: type, epoch: member.epoch, scope: .keyspace(keyspace), name: "")
    }

    /// The bytes of a whole object: header, sealed document.
    package func seal(_ body: [UInt8], _ binding: Binding) -> [UInt8] {
        let part = sealPart(body, binding)
        return ObjectHeader(type: binding.type, epoch: member.epoch, salt: part.salt).encoded + part.sealed
    }

    /// A sealed document whose salt is kept elsewhere: the directory of a pack, by the pack's header.
    package func sealPart(_ body: [UInt8], _ binding: Binding) -> (salt: Digest, sealed: [UInt8]) {
        let document = SignedDocument(slot: slot, signature: signingKey.sign(binding.signedMessage(body)), body: body[...]).encoded
        let salt = member.salt(for: document)
        let key = OneTimeKey.derive(base: member.metadataKey, type: binding.type, salt: salt)
        return (salt, AuthenticatedCipher.seal(document, key: key, associatedData: binding.associatedData))
    }

    /// Opens a whole object. The signature is still to be verified: by `DocumentVerifier`, which knows the slots.
    package func open(_ object: [UInt8], _ binding: Binding) throws(SealingError) -> SignedDocument {
        let header: ObjectHeader
        do throws(FormatError) { header = try ObjectHeader(of: object[...], expecting: binding.type) } catch { throw .format(error) }
        return try openPart(object[ObjectHeader.byteCount...], salt: header.salt, epoch: header.epoch, binding)
    }

    package func openPart(
        _ sealed: ArraySlice<UInt8>, salt: Digest, epoch: UInt32, _ binding: Binding
    ) throws(SealingError) -> SignedDocument {
        guard epoch == member.epoch else { throw .notAuthentic }
        let key = OneTimeKey.derive(base: member.metadataKey, type: binding.type, salt: salt)
        let document = try AuthenticatedCipher.open(sealed, key: key, associatedData: binding.associatedData)
        do throws(FormatError) { return try SignedDocument(decoding: document) } catch { throw .format(error) }
    }
}

/// Knows whose signature counts for what.
package struct DocumentVerifier: Sendable {
    private let keyring: Keyring

    package init(keyring: Keyring) { self.keyring = keyring }

    /// What a document must show to be believed.
    package enum Demand: Equatable, Sendable {
        /// The capability, by a slot that is not retired.
        case capability(Capability)
        /// The capability, by a slot that has it or had it when it was retired: what holds for ever must not end with its signer's key.
        case lastingCapability(Capability)
        /// Any slot, retired or not: what it says is verified by content when it is used.
        case anySlot
        /// A manifest: a slot with `write`, or a retired one whose manifest the keyring accepts.
        case manifest(SnapshotID, objectDigest: Digest)
    }

    /// - Throws: `.unknownSigner` or `.badSignature`.
    package func verify(_ document: SignedDocument, _ binding: Binding, _ demand: Demand) throws(SealingError) {
        let slot = try signer(document.slot, demand)
        guard SigningKey.verify(document.signature, of: binding.signedMessage(document.body), publicKey: slot.publicKey) else {
            throw .badSignature
        }
    }

    private func signer(_ id: SlotID, _ demand: Demand) throws(SealingError) -> Keyring.Slot {
        let retired = keyring.retired.first { $0.slot.id == id }
        switch demand {
        case .capability(let capability):
            if let slot = keyring.slot(id), slot.may(capability) { return slot }
        case .lastingCapability(let capability):
            if let slot = keyring.slot(id) ?? retired?.slot, slot.may(capability) { return slot }
        case .anySlot:
            if let slot = keyring.slot(id) ?? retired?.slot { return slot }
        case .manifest(let snapshot, let digest):
            if let slot = keyring.slot(id), slot.may(.write) { return slot }
            if let retired, retired.manifests.contains(.init(snapshot: snapshot, digest: digest)) { return retired.slot }
        }
        throw .unknownSigner
    }
}
