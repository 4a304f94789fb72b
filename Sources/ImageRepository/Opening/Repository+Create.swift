import Bytes
import Chunking
import RepositoryFormat
public import Sealing
public import Storage

extension Repository {
    public struct CreationOptions: Sendable {
        /// A power of two from 16 KiB to 1 MiB.
        public var averageChunkByteCount = 32 << 10
        public var passwordCost = PasswordCost.moderate
        /// Of the first slot.
        public var label = "first"

        public init() {}
    }

    /// Makes a repository with two slots of role full: one for `credential`, one for the recovery key that is returned.
    ///
    /// Order (Specs/ordering.md): folders, the probe of create-if-absent, key slots, keyring 0, and `config` last: without it there is no repository.
    /// - Throws: `.occupied` if there is a repository, or another folder's content; `.invalid`, `.storage`.
    public static func create(
        on storage: any StorageBackend, credential: Credential, options: CreationOptions, environment: ClientEnvironment
    ) throws(RepositoryError) -> (repository: Repository, recoveryKey: KeyFile) {
        do { _ = try ChunkerParameters(averageByteCount: options.averageChunkByteCount) } catch { throw .invalid("\(error)") }
        try storing { () throws(StorageError) in try storage.prepare() }
        try refuseOccupied(storage)
        try storing { () throws(StorageError) in try storage.verifyCreateIfAbsent() }

        let rootKey = SigningKey.random()
        let dataKeys = DataKeyPair.random()
        let memberSecret = SecretBytes.random(byteCount: 32)
        let created = Timestamp.text(secondsSince1970: environment.now())
        let config = Config(
            repository: RepositoryID(Sodium.randomID()), keyspace: KeyspaceID(Sodium.randomID()), rootPublicKey: rootKey.publicKey,
            averageChunkByteCount: options.averageChunkByteCount, created: created)
        let recoveryKey = KeyFile.random()
        var slots: [Keyring.Slot] = []
        for (credential, label) in [(credential, options.label), (.keyFile(recoveryKey), "recovery")] {
            let secrets = SlotSecrets(
                role: .full, repository: config.repository, keyspace: config.keyspace, slot: SlotID(Sodium.randomID()),
                signingKey: .random(), memberSecrets: [(1, memberSecret)], dataPublicKey: dataKeys.publicKey,
                rootPublicKey: rootKey.publicKey, dataKeys: dataKeys, rootKey: rootKey)
            slots.append(
                try storeSlot(secrets, credential, cost: options.passwordCost, label: label, created: created, on: storage))
        }
        let keyring = Keyring(
            number: 0, previous: nil, repository: config.repository, slots: slots, retired: [], epochs: [1], requiredFeatures: .none)
        let first = try storing { () throws(StorageError) in
            try storage.barrier()
            return try storage.claim(.keyring(0), KeyringStore.seal(keyring, key: rootKey))
        }
        guard first == .created else { throw .occupied(place: storage.place, reason: "somebody else makes a repository here at the same moment") }
        let object = RootSigning.seal(.config, name: "config", body: config.body, repository: config.repository, key: rootKey)
        let outcome = try storing { () throws(StorageError) in try storage.claim(.config, object) }
        guard outcome == .created else { throw .occupied(place: storage.place, reason: "somebody else made a repository here at the same moment") }
        // Without it a full device needs room made by hand. There may be none now; a prune tries again.
        do throws(StorageError) { try storage.holdReserve() } catch {}
        return (try open(on: storage, credential: .keyFile(recoveryKey), environment: environment), recoveryKey)
    }

    /// Stores `keys/<id>` and returns its entry for the keyring.
    static func storeSlot(
        _ secrets: SlotSecrets, _ credential: Credential, cost: PasswordCost, label: String, created: String, on storage: any StorageBackend
    ) throws(RepositoryError) -> Keyring.Slot {
        guard FormatLimits.argonOperations.contains(cost.operations), FormatLimits.argonByteCount.contains(cost.byteCount) else {
            throw .invalid("a password cost of \(cost.operations) operations and \(cost.byteCount >> 20) MiB is outside what the format allows")
        }
        let name = ObjectName.key(secrets.slot)
        let object = try sealing(name.path) { () throws(SealingError) in try secrets.seal(for: credential, cost: cost).encoded }
        _ = try storing { () throws(StorageError) in try storage.put(name, object.span) }
        return Keyring.Slot(
            id: secrets.slot, publicKey: secrets.signingKey.publicKey, role: secrets.role, capabilities: secrets.role.defaultCapabilities,
            keyDigest: ObjectDigest.of(object), label: label, created: created)
    }

    private static func refuseOccupied(_ storage: any StorageBackend) throws(RepositoryError) {
        for kind in ObjectKind.allCases where kind != .verified {
            let isEmpty = try storing { () throws(StorageError) in try storage.list(kind) }.isEmpty
            if !isEmpty {
                let reason = kind == .config ? "there is a repository here already" : "there are objects of a repository here (\(kind.rawValue)); an init was interrupted, or config was lost. Choose another place, or empty this one"
                throw .occupied(place: storage.place, reason: reason)
            }
        }
    }
}
