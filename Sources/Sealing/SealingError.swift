public import RepositoryFormat

/// Why something could not be opened or believed.
public enum SealingError: Error, Equatable, Sendable {
    /// The tag does not fit: other bytes than were sealed, another name, or another key.
    case notAuthentic
    case wrongPassword
    /// The password or key file opens nothing here.
    case noSlot
    case badSignature
    /// What is written names a slot that is not in the keyring, or one that may not do this.
    case unknownSigner
    /// The role of the open slot has no key for this.
    case notPermitted(role: Role)
    case format(FormatError)
    /// A key file or recovery words that are not one.
    case badKeyFile(reason: String)
    /// Argon2id could not get its memory.
    case outOfMemory(byteCount: UInt64)
}

extension SealingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notAuthentic: "it is damaged or was tampered with: its authentication tag does not fit"
        case .wrongPassword: "the password or key is wrong"
        case .noSlot: "the password or key file opens no slot of this repository"
        case .badSignature: "its signature is not valid"
        case .unknownSigner: "it is signed by a slot that this repository does not have, or that may not do this"
        case .notPermitted(let role): "a key of role \(role.rawValue) cannot do this; use a key of role full"
        case .format(let error): "\(error)"
        case .badKeyFile(let reason): "it is not a key file: \(reason)"
        case .outOfMemory(let byteCount): "deriving the key from the password takes \(byteCount >> 20) MiB of memory, which this machine does not have now; free some, add swap space, or use a key file, which takes none"
        }
    }
}
