public import Bytes
public import DiskImages
public import RepositoryFormat
import Sealing
public import Storage

/// Why an operation on a repository did not succeed.
public indirect enum RepositoryError: Error, Sendable {
    /// There is nothing at that place, or nothing that is a repository.
    case noRepository(place: String, reason: String)
    /// `init` found a repository, or something else, where one was to be made.
    case occupied(place: String, reason: String)
    /// The password, key file or recovery words open no slot.
    case wrongCredential
    /// A newer format, or a feature this program does not know.
    case notSupported(object: String, error: FormatError)
    /// An object is damaged, forged, or not what it should be.
    case damaged(object: String, reason: String)
    /// An object is signed by a slot that is not in the keyring, or that may not sign it: nobody accepts it.
    case unknownSigner(object: String)
    /// What the storage shows now is older than, or another than, what this machine has seen of this repository before.
    case rolledBack(reason: String)
    /// What this machine has seen of this repository cannot be read: until that is settled, an older or another one would not be noticed.
    case unreadablePins(path: String, reason: String)
    /// The key that was used may not do this.
    case notPermitted(operation: String, role: Role)
    /// No snapshot fits what was asked for.
    case noSnapshot(String)
    case ambiguous(String, matches: [SnapshotID])
    case noImage(String, names: [String])
    /// A chunk that a snapshot needs is in no pack that is there.
    case missingChunk(ChunkID)
    /// What a snapshot needs is lost or cannot be read; others may need it too.
    case lacking(snapshot: SnapshotID, cause: RepositoryError)
    /// A maintainer ended this session; nothing was committed.
    case sessionEnded(SessionID)
    /// The caller asked to stop; what was stored will be found again.
    case cancelled
    /// The machine has no room for the threads that this takes.
    case noThread(reason: String)
    /// What the caller asked for cannot be.
    case invalid(String)
    /// What was read back from a target is not what was written to it.
    case verificationFailed(target: String, offset: UInt64)
    case storage(StorageError)
    case image(ImageError)
}

extension RepositoryError {
    /// The same, and the snapshot for which it was read: where something is lost, but not where it could not be asked for.
    func needed(by snapshot: SnapshotID) -> RepositoryError {
        switch self {
        case .missingChunk, .damaged, .storage(.notFound), .storage(.shortObject), .storage(.failed): .lacking(snapshot: snapshot, cause: self)
        default: self
        }
    }

    /// An object was listed, and is gone.
    var isVanishedObject: Bool {
        switch self {
        case .storage(.notFound), .lacking(_, .storage(.notFound)): true
        default: false
        }
    }

    /// A pack or chunk is not where the index said.
    var isMissingData: Bool {
        switch self {
        case .missingChunk, .storage(.notFound): true
        default: false
        }
    }
}

extension RepositoryError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noRepository(let place, let reason): "\(place): \(reason). Is its disk mounted? “holdfast init” makes a new repository"
        case .occupied(let place, let reason): "\(place): \(reason)"
        case .wrongCredential: "the password or key opens no slot of this repository"
        case .notSupported(let object, let error): "\(object): \(error)"
        case .damaged(let object, let reason): "\(object): \(reason)"
        case .unknownSigner(let object): "\(object): \(SealingError.unknownSigner)"
        case .rolledBack(let reason): "the repository is not what this machine saw before: \(reason)"
        case .unreadablePins(let path, let reason): "\(path): \(RepositoryError.unreadablePins(reason))"
        case .notPermitted(let operation, let role): "a key of role \(role.rawValue) may not \(operation); use a key of role full"
        case .noSnapshot(let text): "no snapshot fits “\(text)”; “holdfast snapshots” lists them"
        case .ambiguous(let text, let matches):
            "“\(text)” fits \(matches.count) snapshots: \(matches.prefix(8).map { String($0.hexadecimal.prefix(12)) }.joined(separator: ", ")); give more digits"
        case .noImage(let name, let names):
            name.isEmpty
                ? "the snapshot has several images (\(names.joined(separator: ", "))); say which, as SNAPSHOT:IMAGE"
                : "the snapshot has no image “\(name)”; it has \(names.joined(separator: ", "))"
        case .missingChunk(let id): "chunk \(id) is in no pack of the repository; run “holdfast check”"
        case .lacking(let snapshot, .missingChunk(let id)): "chunk \(id) is in no pack of the repository, and snapshot \(snapshot) needs it"
        case .lacking(let snapshot, let cause): "\(cause), and snapshot \(snapshot) needs it"
        case .sessionEnded(let session): "session \(session) was ended by a maintainer and nothing was committed; run the backup again"
        case .cancelled: "interrupted"
        case .noThread(let reason), .invalid(let reason): reason
        case .verificationFailed(let target, let offset): "\(target): what was read back at byte \(offset) is not what was written; the target cannot be trusted"
        case .storage(let error): "\(error)"
        case .image(let error): "\(error)"
        }
    }

    /// Nothing drops them unasked: who damaged them may also have put an older repository in place.
    static func unreadablePins(_ reason: String) -> String {
        """
        what this machine has seen of the repository cannot be read (\(reason)), so an older or another one in its place would not be noticed, and no prune of this machine \
        deletes anything. Put the file back from a copy; or, if nobody can have changed the repository, move it away: then what is there now is trusted as at the first time
        """
    }
}
