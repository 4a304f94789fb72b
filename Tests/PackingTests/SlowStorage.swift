import Glibc
import Storage

/// A backend whose reads take long enough for others to ask meanwhile.
struct SlowStorage: StorageBackend {
    private let wrapped: any StorageBackend

    init(_ wrapped: any StorageBackend) { self.wrapped = wrapped }

    var place: String { wrapped.place }
    var capabilities: StorageCapabilities { wrapped.capabilities }

    func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        usleep(50_000)
        return try wrapped.get(name, range: range)
    }

    func prepare() throws(StorageError) { try wrapped.prepare() }
    func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome { try wrapped.put(name, bytes) }
    func barrier() throws(StorageError) { try wrapped.barrier() }
    func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] { try wrapped.get(name, byteCountMax: byteCountMax) }
    func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? { try wrapped.stat(name) }
    func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] { try wrapped.list(kind) }
    func delete(_ name: ObjectName) throws(StorageError) { try wrapped.delete(name) }
}
