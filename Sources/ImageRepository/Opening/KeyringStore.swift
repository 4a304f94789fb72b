package import Bytes
package import RepositoryFormat
package import Sealing
package import Storage
import Synchronization

/// Reads and writes the keyring, `keyring/<n>`, and remembers the newest.
package final class KeyringStore: Sendable {
    private struct State {
        var keyring: Keyring
        /// SHA-256 of its object.
        var digest: Digest
    }

    private let storage: any StorageBackend
    private let repository: RepositoryID
    private let rootPublicKey: [UInt8]
    private let state: Mutex<State>

    package var current: Keyring { state.withLock { $0.keyring } }

    /// Reads the newest keyring and verifies its signature.
    package init(storage: any StorageBackend, repository: RepositoryID, rootPublicKey: [UInt8]) throws(RepositoryError) {
        self.storage = storage
        self.repository = repository
        self.rootPublicKey = rootPublicKey
        guard let newest = try KeyringStore.newestNumber(storage) else {
            throw .damaged(object: "keyring", reason: "there is no keyring; the repository cannot be opened without one")
        }
        let (keyring, digest) = try KeyringStore.read(newest, storage: storage, repository: repository, rootPublicKey: rootPublicKey)
        state = Mutex(State(keyring: keyring, digest: digest))
    }

    private static func newestNumber(_ storage: any StorageBackend) throws(RepositoryError) -> UInt64? {
        try storing { () throws(StorageError) in try storage.list(.keyring) }.compactMap(\.name.keyringNumber).max()
    }

    /// Reads the keyring again if there is a newer one: what was listed a moment ago may be signed by a slot that was added since.
    ///
    /// To be called after the listing. One that cannot be believed changes nothing; a check reports it.
    package func refresh() throws(RepositoryError) {
        guard let newest = try KeyringStore.newestNumber(storage), newest > current.number else { return }
        do throws(RepositoryError) {
            let (keyring, digest) = try KeyringStore.read(newest, storage: storage, repository: repository, rootPublicKey: rootPublicKey)
            state.withLock { if $0.keyring.number < keyring.number { $0 = State(keyring: keyring, digest: digest) } }
        } catch {
            if case .storage(.unavailable) = error { throw error }
        }
    }

    /// Adds the next keyring.
    ///
    /// - Throws: `.invalid` if somebody else added one in the meantime, or if there would be more in it than a keyring can hold.
    package func append(_ change: (inout Keyring) -> Void, key: SigningKey) throws(RepositoryError) {
        let (keyring, previous) = state.withLock { ($0.keyring, $0.digest) }
        var next = keyring
        change(&next)
        next.number = keyring.number + 1
        next.previous = previous
        let object = KeyringStore.seal(next, key: key)
        let name = ObjectName.keyring(next.number)
        // A keyring that cannot be read again would close the repository for ever.
        guard object.count <= FormatLimits.keyringByteCountMax, try decoding(name.path, { () throws(FormatError) in try Keyring(body: next.body) }) == next
        else { throw .invalid("\(name): a keyring cannot hold that much; nothing was changed") }
        let outcome = try storing { () throws(StorageError) in try storage.claim(name, object) }
        guard outcome == .created else { throw .invalid("\(name): another key was changed at the same moment; run the command again") }
        state.withLock { $0 = State(keyring: next, digest: ObjectDigest.of(object)) }
    }

    /// Verifies the whole chain from number 0 on, and returns what is wrong with it.
    package func problems() throws(RepositoryError) -> [Problem] {
        var problems: [Problem] = []
        var previous: Digest?
        let newest = current.number
        let listed = try storing { () throws(StorageError) in try storage.list(.keyring) }
        // One that was added since the repository was opened must be as good as the others.
        for number in Set(0...newest).union(listed.compactMap(\.name.keyringNumber)).sorted() {
            do throws(RepositoryError) {
                let (keyring, digest) = try KeyringStore.read(number, storage: storage, repository: repository, rootPublicKey: rootPublicKey)
                if number > 0, previous != nil || number > newest, keyring.previous != previous { throw .damaged(object: "keyring/\(number)", reason: "it does not follow from keyring/\(number - 1)") }
                if number == 0, keyring.previous != nil { throw .damaged(object: "keyring/0", reason: "the first keyring names a previous one") }
                previous = digest
            } catch {
                problems.append(Problem(severity: .error, object: "keyring/\(number)", reason: error.reason))
                previous = nil
            }
        }
        return problems
    }

    package static func seal(_ keyring: Keyring, key: SigningKey) -> [UInt8] {
        RootSigning.seal(.keyring, name: "keyring/\(keyring.number)", body: keyring.body, repository: keyring.repository, key: key)
    }

    private static func read(
        _ number: UInt64, storage: any StorageBackend, repository: RepositoryID, rootPublicKey: [UInt8]
    ) throws(RepositoryError) -> (Keyring, Digest) {
        let name = ObjectName.keyring(number)
        let object = try storing { () throws(StorageError) in
            try storage.get(name, byteCountMax: UInt64(FormatLimits.keyringByteCountMax))
        }
        let body = try sealing(name.path) { () throws(SealingError) in
            try RootSigning.open(object, .keyring, name: name.path, repository: repository, publicKey: rootPublicKey)
        }
        let keyring = try decoding(name.path) { () throws(FormatError) in try Keyring(body: body) }
        guard keyring.number == number, keyring.repository == repository else {
            throw .damaged(object: name.path, reason: "it belongs to another number or repository")
        }
        return (keyring, ObjectDigest.of(object))
    }
}
