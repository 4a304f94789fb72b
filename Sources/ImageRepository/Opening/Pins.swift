import Bytes
import RepositoryFormat

/// What this machine has seen of a repository, kept in the state folder: an attacker who puts an older keyring or another
/// root key in place, or takes away the newest snapshot, is found out.
struct Pins: Equatable {
    var rootPublicKey: [UInt8]
    var keyringNumber: UInt64
    /// The last that this machine committed.
    var lastSnapshot: SnapshotID?

    private static let fileByteCountMax = 4096

    private static func path(_ repository: RepositoryID, in folder: String) -> String { "\(folder)/\(repository.hexadecimal)/pins.json" }

    /// Nil if there are none yet.
    static func read(_ repository: RepositoryID, in folder: String) throws(RepositoryError) -> Pins? {
        let path = path(repository, in: folder)
        guard let bytes = try PrivateFile.read(path, byteCountMax: fileByteCountMax) else { return nil }
        return try decoding(path) { () throws(FormatError) in
            let json = try JSONValue(parsing: bytes)
            guard let key = Hexadecimal.decode(try json.string("root_public_key")), key.count == 32 else { throw .member("root_public_key") }
            let last = try json.optionalString("last_snapshot")
            guard last == nil || last.flatMap({ SnapshotID(hexadecimal: $0) }) != nil else { throw .member("last_snapshot") }
            return Pins(
                rootPublicKey: key, keyringNumber: try json.count("keyring", limit: UInt64(Int64.max)),
                lastSnapshot: last.flatMap { SnapshotID(hexadecimal: $0) })
        }
    }

    func write(_ repository: RepositoryID, in folder: String) throws(RepositoryError) {
        let json: JSONValue = [
            "root_public_key": .string(Hexadecimal.encode(rootPublicKey)), "keyring": .count(keyringNumber),
            "last_snapshot": .text(lastSnapshot?.hexadecimal),
        ]
        try PrivateFile.replace(Pins.path(repository, in: folder), with: json.encoded)
    }

    /// Compares with what was seen before, and remembers what is newer.
    ///
    /// Returns a warning if the state folder cannot be used.
    /// - Throws: `.rolledBack`.
    static func check(_ current: Pins, _ repository: RepositoryID, folder: String?) throws(RepositoryError) -> String? {
        guard let folder else { return nil }
        do throws(RepositoryError) {
            let known = try read(repository, in: folder)
            if let known {
                guard known.rootPublicKey == current.rootPublicKey else {
                    throw .rolledBack(reason: "its root key is another one; pins are in \(folder)")
                }
                guard known.keyringNumber <= current.keyringNumber else {
                    throw .rolledBack(reason: "its keyring is number \(current.keyringNumber), and this machine has seen number \(known.keyringNumber): keys may have been put back; pins are in \(folder)")
                }
            }
            var next = current
            next.lastSnapshot = current.lastSnapshot ?? known?.lastSnapshot
            if known != next { try next.write(repository, in: folder) }
            return nil
        } catch {
            if case .rolledBack = error { throw error }
            return "the state folder \(folder) cannot be used, so a repository that was put back to an older state would not be noticed (\(error.reason))"
        }
    }
}
