import Bytes
import RepositoryFormat
import Storage

/// What this machine has seen of a repository, kept in the state folder: an attacker who puts an older keyring or another
/// root key in place, or takes away the newest snapshot, is found out.
struct Pins: Equatable {
    var rootPublicKey: [UInt8]
    var keyringNumber: UInt64
    /// The last that this machine committed.
    var lastSnapshot: SnapshotID?
}

/// The file of a repository's pins. Several processes may use it at once.
struct PinFile {
    private static let byteCountMax = 4096

    let repository: RepositoryID
    /// Nil for a client that remembers nothing.
    let folder: String?

    var path: String? { folder.map { "\($0)/\(repository.hexadecimal)/pins.json" } }

    /// Nil if there are none yet.
    ///
    /// - Throws: `.unreadablePins`.
    func read() throws(RepositoryError) -> Pins? {
        guard let path else { return nil }
        do throws(RepositoryError) {
            return try PrivateFile.read(path, byteCountMax: PinFile.byteCountMax).map { bytes throws(RepositoryError) in try decode(bytes, path) }
        } catch { throw .unreadablePins(path: path, reason: error.reason) }
    }

    private func decode(_ bytes: [UInt8], _ path: String) throws(RepositoryError) -> Pins {
        try decoding(path) { () throws(FormatError) in
            let json = try JSONValue(parsing: bytes)
            guard let key = Hexadecimal.decode(try json.string("root_public_key")), key.count == 32 else { throw .member("root_public_key") }
            let last = try json.optionalString("last_snapshot")
            guard last == nil || last.flatMap({ SnapshotID(hexadecimal: $0) }) != nil else { throw .member("last_snapshot") }
            return Pins(
                rootPublicKey: key, keyringNumber: try json.count("keyring", limit: UInt64(Int64.max)),
                lastSnapshot: last.flatMap { SnapshotID(hexadecimal: $0) })
        }
    }

    /// Compares the keyring that was read with what had been seen before it was read: a key that was added meanwhile is no rollback.
    ///
    /// - Throws: `.rolledBack`.
    func compare(_ current: Pins, with seen: Pins) throws(RepositoryError) {
        guard seen.rootPublicKey == current.rootPublicKey else {
            throw .rolledBack(reason: "its root key is another one; what this machine saw is in \(path ?? "")")
        }
        guard seen.keyringNumber <= current.keyringNumber else {
            throw .rolledBack(
                reason: """
                    \(ObjectName.keyring(seen.keyringNumber)) is missing, which this machine has seen; the newest here is \(ObjectName.keyring(current.keyringNumber)). Keys may have been \
                    put back; what this machine saw is in \(path ?? ""). Put the keyring back from a copy; if you put an older copy of the repository in place yourself, move that file away
                    """)
        }
    }

    /// Adds what is newer than what the file has. Nothing is ever taken back.
    func remember(_ current: Pins) throws(RepositoryError) {
        guard let path else { return }
        try PrivateFile.locked(path) { () throws(RepositoryError) in
            let known = try read()
            var next = current
            next.keyringNumber = max(current.keyringNumber, known?.keyringNumber ?? 0)
            next.lastSnapshot = current.lastSnapshot ?? known?.lastSnapshot
            guard known != next else { return }
            let json: JSONValue = [
                "root_public_key": .string(Hexadecimal.encode(next.rootPublicKey)), "keyring": .count(next.keyringNumber),
                "last_snapshot": .text(next.lastSnapshot?.hexadecimal),
            ]
            try PrivateFile.replace(path, with: json.encoded)
        }
    }

    /// What a user is told when the file or its folder cannot be used.
    func warning(_ error: RepositoryError) -> String {
        if case .unreadablePins = error { return "\(error)" }
        return "the state folder \(folder ?? "") cannot be used, so a repository that was put back to an older state would not be noticed (\(error.reason))"
    }
}
