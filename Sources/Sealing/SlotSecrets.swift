package import Bytes
import CSodium
package import RepositoryFormat

/// What a key slot protects. Section: Specs/format/keys.md, “keys/<id>”.
package struct SlotSecrets: Sendable {
    package let role: Role
    package let repository: RepositoryID
    package let keyspace: KeyspaceID
    package let slot: SlotID
    package let rootPublicKey: [UInt8]
    package let dataPublicKey: [UInt8]
    package let signingKey: SigningKey
    /// Newest last.
    package let memberSecrets: [(epoch: UInt32, secret: SecretBytes)]
    /// Role full only.
    package let dataKeys: DataKeyPair?
    package let rootKey: SigningKey?

    private static let version: UInt8 = 1

    package init(
        role: Role, repository: RepositoryID, keyspace: KeyspaceID, slot: SlotID, signingKey: SigningKey,
        memberSecrets: [(epoch: UInt32, secret: SecretBytes)], dataPublicKey: [UInt8], rootPublicKey: [UInt8], dataKeys: DataKeyPair?,
        rootKey: SigningKey?
    ) {
        precondition((role == .full) == (dataKeys != nil) && (role == .full) == (rootKey != nil), "role full has all keys, role backup neither")
        self.role = role
        self.repository = repository
        self.keyspace = keyspace
        self.slot = slot
        self.signingKey = signingKey
        self.memberSecrets = memberSecrets
        self.dataPublicKey = dataPublicKey
        self.rootPublicKey = rootPublicKey
        self.dataKeys = dataKeys
        self.rootKey = rootKey
    }

    /// The object `keys/<slot id>` that gives these secrets to who has `credential`.
    ///
    /// The salts are fresh unless an example of the format is made; never the same twice.
    package func seal(
        for credential: Credential, cost: PasswordCost, salt: Digest = Digest(Sodium.randomBytes(32)), derivationSalt: RandomID = Sodium.randomID()
    ) throws(SealingError) -> KeySlot {
        let derivation: KeySlot.Derivation =
            switch credential {
            case .password: .password(operations: cost.operations, byteCount: cost.byteCount)
            case .keyFile: .keyFile
            }
        let keys = SlotKeys(stretched: try credential.stretch(derivation, salt: derivationSalt), salt: salt, derivationSalt: derivationSalt)
        var payload = encoded
        defer { payload.wipe() }
        let unsealed = KeySlot(salt: salt, derivation: derivation, derivationSalt: derivationSalt, commitment: keys.commitment, sealedPayload: [])
        let sealed = AuthenticatedCipher.seal(payload, key: keys.wrapKey, associatedData: unsealed.associatedData(name: name))
        return KeySlot(
            salt: salt, derivation: derivation, derivationSalt: derivationSalt, commitment: keys.commitment, sealedPayload: sealed[...])
    }

    /// Opens a slot, or throws `.wrongPassword` if the credential is another slot's.
    package init(opening object: KeySlot, slot: SlotID, with credential: Credential) throws(SealingError) {
        guard credential.fits(object.derivation) else { throw .wrongPassword }
        let stretched = try credential.stretch(object.derivation, salt: object.derivationSalt)
        let keys = SlotKeys(stretched: stretched, salt: object.salt, derivationSalt: object.derivationSalt)
        guard unsafe sodium_memcmp(keys.commitment.bytes, object.commitment.bytes, Digest.byteCount) == 0 else { throw .wrongPassword }
        var payload = try AuthenticatedCipher.open(
            object.sealedPayload, key: keys.wrapKey, associatedData: object.associatedData(name: SlotSecrets.name(slot)))
        defer { payload.wipe() }
        do throws(DecodingError) {
            try self.init(decoding: payload)
        } catch { throw .format(.layout(error)) }
        guard self.slot == slot else { throw .format(.layout(.invalid(field: "slot id"))) }
    }

    private static func name(_ slot: SlotID) -> String { "keys/\(slot.hexadecimal)" }
    private var name: String { SlotSecrets.name(slot) }

    private var encoded: [UInt8] {
        var writer = ByteWriter(reservingByteCount: 1024)
        writer.write([SlotSecrets.version, role == .full ? 2 : 1])
        writer.write(UInt16(memberSecrets.count))
        writer.write(repository.id)
        writer.write(keyspace.id)
        writer.write(slot.id)
        writer.write(rootPublicKey)
        writer.write(dataPublicKey)
        unsafe signingKey.seed.withBytes { unsafe writer.write($0) }
        for (epoch, secret) in memberSecrets {
            writer.write(epoch)
            unsafe secret.withBytes { unsafe writer.write($0) }
        }
        if let dataKeys, let rootKey {
            unsafe dataKeys.secretKey.withBytes { unsafe writer.write($0) }
            unsafe rootKey.seed.withBytes { unsafe writer.write($0) }
        }
        return writer.bytes
    }

    private init(decoding payload: [UInt8]) throws(DecodingError) {
        func secret(_ reader: inout ByteReader, _ field: String) throws(DecodingError) -> SecretBytes {
            var bytes = Array(try reader.read(byteCount: 32, field))
            return .moving(&bytes)
        }
        var reader = ByteReader(payload)
        guard try reader.readUInt8("payload version") == SlotSecrets.version else { throw .invalid(field: "payload version") }
        switch try reader.readUInt8("role") {
        case 1: role = .backup
        case 2: role = .full
        default: throw .invalid(field: "role")
        }
        let epochCount = try reader.readUInt16("number of epochs")
        repository = RepositoryID(try reader.readRandomID("repository id"))
        keyspace = KeyspaceID(try reader.readRandomID("keyspace id"))
        slot = SlotID(try reader.readRandomID("slot id"))
        rootPublicKey = Array(try reader.read(byteCount: 32, "root public key"))
        dataPublicKey = Array(try reader.read(byteCount: 32, "data public key"))
        signingKey = SigningKey(seed: try secret(&reader, "signing key"))
        var memberSecrets: [(epoch: UInt32, secret: SecretBytes)] = []
        for _ in 0..<epochCount {
            let epoch = try reader.readUInt32("epoch")
            guard epoch > memberSecrets.last?.epoch ?? 0 else { throw .invalid(field: "epoch") }
            memberSecrets.append((epoch, try secret(&reader, "member secret")))
        }
        guard !memberSecrets.isEmpty else { throw .invalid(field: "number of epochs") }
        self.memberSecrets = memberSecrets
        if role == .full {
            let dataKeys = DataKeyPair(publicKey: dataPublicKey, secretKey: try secret(&reader, "data secret key"))
            let rootKey = SigningKey(seed: try secret(&reader, "root signing key"))
            guard dataKeys.isConsistent, rootKey.publicKey == rootPublicKey else { throw .invalid(field: "key pairs") }
            (self.dataKeys, self.rootKey) = (dataKeys, rootKey)
        } else {
            (dataKeys, rootKey) = (nil, nil)
        }
        try reader.finish()
    }
}

/// The two keys that follow from a stretched credential.
private struct SlotKeys {
    let commitment: Digest
    let wrapKey: SecretBytes

    init(stretched: SecretBytes, salt: Digest, derivationSalt: RandomID) {
        let slotKey = Sodium.hash(key: stretched, Array("holdfast slot key".utf8) + salt.bytes + derivationSalt.bytes)
        commitment = Digest(Sodium.publicHash(key: slotKey, Array("holdfast slot commitment".utf8)))
        wrapKey = Sodium.hash(key: slotKey, Array("holdfast slot wrap".utf8))
    }
}
