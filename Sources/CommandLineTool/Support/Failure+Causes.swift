import DiskImages
import ImageRepository
import RepositoryFormat
import Sealing
import Storage

/// The one place where errors of the library become messages and exit statuses.
extension Failure {
    init(_ error: RepositoryError) {
        switch error {
        case .noRepository: self.init("\(error)", status: .noRepository)
        case .sessionEnded: self.init("\(error)", status: .sessionEnded)
        case .wrongCredential:
            self.init("\(error); try again, or use the recovery key with --recovery", status: .wrongCredential)
        case .cancelled: self = .interrupted
        case .damaged(let object, _) where Failure.opens(object):
            self.init("\(error); the repository cannot be opened without it: put it back from a copy of the repository")
        case .lacking(let snapshot, _):
            let name = SnapshotText.short(snapshot)
            self.init("""
                \(error), perhaps others too; no prune deletes anything while that is so. “holdfast check” names all that are affected. \
                “holdfast repair” lists what is lost of them, and backups made after it store again what their sources still have; else give the snapshots up: “holdfast unprotect \(name)” if it is protected, “holdfast forget \(name)”, and prune
                """)
        case .damaged: self.init("\(error); “holdfast check” tells which snapshots are affected")
        case .storage(let error): self.init(error)
        case .image(let error): self.init(error)
        default: self.init("\(error)")
        }
    }

    /// Whether the object is one of those without which nothing can be opened.
    private static func opens(_ object: String) -> Bool { object == "config" || object.hasPrefix("keyring") || object.hasPrefix("keys/") }

    init(_ error: StorageError) {
        switch error {
        case .noRepository(let place):
            self.init("\(place): there is no repository here. Is its disk mounted? “holdfast init” makes a new one", status: .noRepository)
        case .notFound, .shortObject: self.init("\(error); “holdfast check” tells which snapshots are affected")
        case .full: self.init("\(error); make room there and run the command again")
        case .accessDenied: self.init("\(error); run as a user who may, or change its permissions")
        case .readOnly:
            self.init("""
                \(error), so nothing can be changed there: mount it writable and run the command again. Listing, restoring and checking work as it is. \
                If nobody mounted it so, the kernel may have found errors on its disk, as “dmesg” then tells
                """)
        case .unavailable: self.init("\(error); run the command again later")
        case .tooLarge, .failed: self.init("\(error)")
        }
    }

    init(_ error: ImageError) { self.init("\(error)") }

    /// - Parameter file: what the key or password came from.
    init(_ error: SealingError, file: String) {
        switch error {
        case .noSlot, .wrongPassword: self.init("\(file): \(error)", status: .wrongCredential)
        default: self.init("\(file): \(error)")
        }
    }
}

/// Runs a call of the repository library, or fails with its message and status.
func repositoryCall<Result>(_ body: () throws(RepositoryError) -> Result) throws(Failure) -> Result {
    do { return try body() } catch { throw Failure(error) }
}

/// The same for storage.
func storageCall<Result>(_ body: () throws(StorageError) -> Result) throws(Failure) -> Result {
    do { return try body() } catch { throw Failure(error) }
}

/// The same for sources and targets.
func imageCall<Result>(_ body: () throws(ImageError) -> Result) throws(Failure) -> Result {
    do { return try body() } catch { throw Failure(error) }
}

/// Refuses a key that may not do what comes, before anything is made or asked for it.
func requireFullRole(_ repository: Repository, to operation: String) throws(Failure) {
    guard repository.role == .full else { throw Failure(RepositoryError.notPermitted(operation: operation, role: repository.role)) }
}
