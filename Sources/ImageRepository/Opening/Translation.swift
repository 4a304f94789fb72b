import DiskImages
import Packing
import RepositoryFormat
import Sealing
import Storage

// How the errors of the layers below become this module's: with the object's name, and told apart by what to do about them.

func storing<Value>(_ body: () throws(StorageError) -> Value) throws(RepositoryError) -> Value {
    do { return try body() } catch { throw .storage(error) }
}

func imaging<Value>(_ body: () throws(ImageError) -> Value) throws(RepositoryError) -> Value {
    do { return try body() } catch { throw .image(error) }
}

func packing<Value>(_ body: () throws(PackingError) -> Value) throws(RepositoryError) -> Value {
    do { return try body() } catch { throw RepositoryError(error) }
}

func sealing<Value>(_ object: String, _ body: () throws(SealingError) -> Value) throws(RepositoryError) -> Value {
    do { return try body() } catch { throw RepositoryError(error, object: object) }
}

func decoding<Value>(_ object: String, _ body: () throws(FormatError) -> Value) throws(RepositoryError) -> Value {
    do { return try body() } catch { throw RepositoryError(error, object: object) }
}

extension RepositoryError {
    init(_ error: PackingError) {
        switch error {
        case .storage(let error): self = .storage(error)
        case .damaged(let object, let reason): self = .damaged(object: object, reason: reason)
        case .missing(let id): self = .missingChunk(id)
        case .noDataKey: self = .notPermitted(operation: "read data back", role: .backup)
        case .compression(let error): self = .invalid("a segment cannot be compressed: \(error)")
        case .selfCheckFailed:
            self = .invalid("a segment did not survive being compressed and decoded again; this machine's memory or its zstd library is at fault, and nothing was committed")
        case .noThread(let reason): self = .noThread(reason: reason)
        case .aborted: self = .cancelled
        }
    }

    init(_ error: SealingError, object: String) {
        switch error {
        case .format(let error): self.init(error, object: object)
        case .wrongPassword, .noSlot: self = .wrongCredential
        case .notPermitted(let role): self = .notPermitted(operation: "open \(object)", role: role)
        case .unknownSigner: self = .unknownSigner(object: object)
        case .notAuthentic, .badSignature, .badKeyFile, .outOfMemory: self = .damaged(object: object, reason: "\(error)")
        }
    }

    init(_ error: FormatError, object: String) {
        switch error {
        case .newerFormat, .unknownSuite, .missingFeature: self = .notSupported(object: object, error: error)
        case .notAnObject, .wrongType, .layout, .json, .member: self = .damaged(object: object, reason: "\(error)")
        }
    }
}
