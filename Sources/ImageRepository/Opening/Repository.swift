public import Bytes
import Packing
public import RepositoryFormat
package import Sealing
package import Storage

/// An open repository: what a key has opened, and the way to everything that can be done with it.
///
/// Calls block their thread, and several may run at once on threads of their own. Each operation reads the state of the storage anew.
public final class Repository: Sendable {
    package let storage: any StorageBackend
    package let environment: ClientEnvironment
    package let secrets: SlotSecrets
    package let sealer: DocumentSealer
    package let dataKeys: DataKeyPair?
    package let keyrings: KeyringStore
    public let config: Config
    /// What could not be done on opening without making it impossible, such as writing pins.
    public let warnings: [String]

    package init(
        storage: any StorageBackend, environment: ClientEnvironment, secrets: SlotSecrets, config: Config, keyrings: KeyringStore,
        warnings: [String]
    ) throws(RepositoryError) {
        guard let newest = secrets.memberSecrets.last else { throw .damaged(object: "keys/\(secrets.slot)", reason: "it has no member secret") }
        self.storage = storage
        self.environment = environment
        self.secrets = secrets
        self.config = config
        self.keyrings = keyrings
        self.warnings = warnings
        dataKeys = secrets.dataKeys
        sealer = DocumentSealer(
            keyspace: secrets.keyspace, repository: secrets.repository, member: MemberKeys(memberSecret: newest.secret, epoch: newest.epoch),
            slot: secrets.slot, signingKey: secrets.signingKey)
    }

    public var id: RepositoryID { config.repository }
    public var role: Role { secrets.role }
    /// The slot that was opened.
    public var slot: SlotID { secrets.slot }
    public var place: String { storage.place }
    /// Of the newest keyring.
    public var slots: [Keyring.Slot] { keyrings.current.slots }

    var verifier: DocumentVerifier { DocumentVerifier(keyring: keyrings.current) }

    var pinFile: PinFile { PinFile(repository: id, folder: environment.stateFolder) }

    /// Remembers the snapshot that was just committed, unless the one before it is lost: while that is remembered, no prune of this machine deletes anything.
    ///
    /// - Returns: what the person must know.
    func pinCommitted(_ id: SnapshotID) throws(RepositoryError) -> String? {
        let last: SnapshotID?
        do throws(RepositoryError) { last = try pinFile.read()?.lastSnapshot } catch { return pinFile.warning(error) }
        guard let last, last != id, try storing({ () throws(StorageError) in try storage.stat(.snapshot(last)) }) == nil, try readMarks().states[last]?.isFinal != true else {
            return pin(lastSnapshot: id)
        }
        return pin() ?? """
            \(ObjectName.snapshot(last).path): it is missing, though this machine committed it and nobody has forgotten it: this repository has lost snapshots, or is an older copy. \
            No prune of this machine deletes anything until it is put back from a copy, or “holdfast repair --drop-lost-snapshots” gives it up
            """
    }

    /// Remembers the keyring and, if given, the snapshot that was just committed. Returns a warning if that cannot be done.
    func pin(lastSnapshot: SnapshotID? = nil) -> String? {
        do throws(RepositoryError) {
            try pinFile.remember(Pins(rootPublicKey: secrets.rootPublicKey, keyringNumber: keyrings.current.number, lastSnapshot: lastSnapshot))
            return nil
        } catch { return pinFile.warning(error) }
    }

    func demand(_ role: Role, to operation: String) throws(RepositoryError) {
        guard secrets.role == role || secrets.role == .full else { throw .notPermitted(operation: operation, role: secrets.role) }
    }

    func permit(_ operation: FeatureSet.Operation) throws(RepositoryError) {
        do throws(FormatError) {
            try keyrings.current.requiredFeatures.permit(operation)
        } catch { throw .notSupported(object: "keyring/\(keyrings.current.number)", error: error) }
    }

    /// RFC 3339 time of now, by the environment's clock.
    var timestamp: String { Timestamp.text(secondsSince1970: environment.now()) }
}
