import RepositoryFormat
public import Sealing
public import Storage
import Bytes

extension Repository {
    /// Opens the repository on `storage` with a password, key file or recovery key.
    ///
    /// - Throws: `.noRepository`, `.wrongCredential`, `.notSupported` for a newer format, `.damaged`, `.rolledBack`, `.storage`.
    public static func open(
        on storage: any StorageBackend, credential: Credential, environment: ClientEnvironment
    ) throws(RepositoryError) -> Repository {
        let config = try readConfig(storage)
        let pinFile = PinFile(repository: config.repository, folder: environment.stateFolder)
        let seen = Result { () throws(RepositoryError) in try pinFile.read() }
        let keyrings = try KeyringStore(storage: storage, repository: config.repository, rootPublicKey: config.rootPublicKey)
        let secrets: SlotSecrets
        do throws(RepositoryError) { secrets = try openSlot(storage, keyrings.current, credential) } catch {
            // The slot may be in a keyring that this machine has seen and that is not there: then no password is wrong.
            if case .wrongCredential = error, case .success(let seen?) = seen {
                try pinFile.compare(Pins(rootPublicKey: config.rootPublicKey, keyringNumber: keyrings.current.number), with: seen)
            }
            throw error
        }
        // What the slot says is believed; config and keyring were verified under the key that config names.
        guard secrets.repository == config.repository, secrets.keyspace == config.keyspace, secrets.rootPublicKey == config.rootPublicKey else {
            throw .damaged(object: "config", reason: "it is not the config of the repository that the key belongs to")
        }
        let pins = Pins(rootPublicKey: secrets.rootPublicKey, keyringNumber: keyrings.current.number)
        var warnings: [String] = []
        do throws(RepositoryError) {
            if let seen = try seen.get() { try pinFile.compare(pins, with: seen) }
            try pinFile.remember(pins)
        } catch {
            if case .rolledBack = error { throw error }
            warnings.append(pinFile.warning(error))
        }
        let repository = try Repository(
            storage: storage, environment: environment, secrets: secrets, config: config, keyrings: keyrings,
            warnings: warnings)
        try repository.permit(.read)
        return repository
    }

    /// Looks whether there is a repository, without a key.
    ///
    /// - Throws: `.noRepository`; `.damaged` if there is one that cannot be opened; `.notSupported`, `.storage`.
    public static func probe(_ storage: any StorageBackend) throws(RepositoryError) { _ = try readConfig(storage) }

    static func readConfig(_ storage: any StorageBackend) throws(RepositoryError) -> Config {
        let object: [UInt8]
        do throws(StorageError) {
            object = try storage.get(.config, byteCountMax: UInt64(FormatLimits.configByteCountMax))
        } catch {
            switch error {
            case .noRepository: throw .noRepository(place: storage.place, reason: "there is nothing here")
            case .notFound:
                if try storing({ () throws(StorageError) in try storage.list(.keyring) }).isEmpty {
                    throw .noRepository(place: storage.place, reason: "this is not a repository: it has no config")
                }
                throw .damaged(object: "config", reason: "it is missing, though the repository has keyrings; put it back from a copy")
            default: throw .storage(error)
            }
        }
        guard object.starts(with: ObjectHeader.magic) else {
            throw .noRepository(place: storage.place, reason: "this is not a repository: its config is not one of Holdfast's")
        }
        let config = try decoding("config") { () throws(FormatError) in try Config(body: try RootSignedObject.split(object, .config).body) }
        _ = try sealing("config") { () throws(SealingError) in
            try RootSigning.open(object, .config, name: "config", repository: config.repository, publicKey: config.rootPublicKey)
        }
        return config
    }

    /// Whether it is certain that a password or key opens no slot, by the newest keyring that is there now.
    public func opensNothing(_ credential: Credential) -> Bool {
        do throws(RepositoryError) {
            let newest = try KeyringStore(storage: storage, repository: id, rootPublicKey: secrets.rootPublicKey).current
            _ = try Repository.openSlot(storage, newest, credential)
            return false
        } catch {
            if case .wrongCredential = error { return true }
            return false
        }
    }

    /// Tries the credential on each slot of its kind.
    private static func openSlot(
        _ storage: any StorageBackend, _ keyring: Keyring, _ credential: Credential
    ) throws(RepositoryError) -> SlotSecrets {
        var damage: RepositoryError?
        for slot in keyring.slots {
            do throws(RepositoryError) {
                guard let object = try readSlot(storage, slot), credential.fits(object.derivation) else { continue }
                return try sealing(ObjectName.key(slot.id).path) { () throws(SealingError) in
                    let secrets = try SlotSecrets(opening: object, slot: slot.id, with: credential)
                    guard secrets.role == slot.role else { throw .format(.layout(.invalid(field: "role"))) }
                    guard secrets.signingKey.publicKey == slot.publicKey else { throw .format(.layout(.invalid(field: "signing key"))) }
                    guard secrets.memberSecrets.allSatisfy({ keyring.epochs.contains($0.epoch) }) else { throw .format(.layout(.invalid(field: "epochs"))) }
                    return secrets
                }
            } catch {
                if case .wrongCredential = error { continue }
                damage = error
            }
        }
        throw damage ?? .wrongCredential
    }

    /// Nil if the slot's object is missing.
    static func readSlot(_ storage: any StorageBackend, _ slot: Keyring.Slot) throws(RepositoryError) -> KeySlot? {
        let name = ObjectName.key(slot.id)
        let object: [UInt8]
        do throws(StorageError) {
            object = try storage.get(name, byteCountMax: UInt64(FormatLimits.keySlotByteCountMax))
        } catch {
            if case .notFound = error { return nil }
            throw .storage(error)
        }
        guard ObjectDigest.of(object) == slot.keyDigest else {
            throw .damaged(object: name.path, reason: "it is not the key slot that the keyring names")
        }
        return try decoding(name.path) { () throws(FormatError) in try KeySlot(decoding: object) }
    }
}
