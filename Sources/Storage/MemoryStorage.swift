import Synchronization

/// A whole backend in memory: for tests, for measuring without a disk, and as the oracle that other backends are compared with.
///
/// Every name is durable at once. Before `prepare()` there is no repository, which is not the same as an empty one.
public final class MemoryStorage: StorageBackend {
    private struct State {
        var isPrepared: Bool
        var objects: [ObjectName: [UInt8]]
    }

    public let place = "memory"
    public let capabilities = StorageCapabilities(createsAtomically: true, listsConsistently: true)
    private let state: Mutex<State>

    public init() {
        state = Mutex(State(isPrepared: false, objects: [:]))
    }

    /// A prepared backend that holds `objects`.
    package init(objects: [ObjectName: [UInt8]]) {
        state = Mutex(State(isPrepared: true, objects: objects))
    }

    public func prepare() throws(StorageError) {
        state.withLock { $0.isPrepared = true }
    }

    public func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome {
        let object = [UInt8](copying: bytes)
        return try withObjects { objects in
            if objects[name] != nil { return .occupied }
            objects[name] = object
            return .created
        }
    }

    public func barrier() throws(StorageError) {
        try withObjects { _ in }
    }

    public func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] {
        let object = try object(name)
        let byteCount = UInt64(object.count)
        guard byteCount <= byteCountMax else { throw .tooLarge(name, byteCount: byteCount, limit: byteCountMax) }
        return object
    }

    public func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        let object = try object(name)
        let byteCount = UInt64(object.count)
        guard range.upperBound <= byteCount else { throw .shortObject(name, byteCount: byteCount, expected: range.upperBound) }
        return Array(object[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    public func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? {
        try withObjects { objects in objects[name].map { ObjectInfo(name: name, byteCount: UInt64($0.count)) } }
    }

    public func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] {
        try withObjects { objects in
            objects.compactMap { name, object in
                name.kind == kind ? ObjectInfo(name: name, byteCount: UInt64(object.count)) : nil
            }
        }
    }

    public func delete(_ name: ObjectName) throws(StorageError) {
        try withObjects { objects in objects[name] = nil }
    }

    private func object(_ name: ObjectName) throws(StorageError) -> [UInt8] {
        let object = try withObjects { objects in objects[name] }
        guard let object else { throw .notFound(name) }
        return object
    }

    private func withObjects<Result: Sendable>(_ body: (inout [ObjectName: [UInt8]]) -> Result) throws(StorageError) -> Result {
        let result: Result? = state.withLock { state in state.isPrepared ? body(&state.objects) : nil }
        guard let result else { throw .noRepository(place: place) }
        return result
    }
}

// What no backend offers, and what those who damage, compare and copy whole repositories need.
extension MemoryStorage {
    /// Everything that is stored, at one moment.
    package var objects: [ObjectName: [UInt8]] {
        state.withLock { $0.objects }
    }

    /// Replaces what is stored under `name`, or stores it, whether or not the name is taken.
    package func overwrite(_ name: ObjectName, with bytes: [UInt8]) {
        state.withLock { $0.objects[name] = bytes }
    }

    /// A second backend with the same objects, independent from now on.
    package func copy() -> MemoryStorage {
        let copy = MemoryStorage()
        let (isPrepared, objects) = state.withLock { ($0.isPrepared, $0.objects) }
        copy.state.withLock { $0 = State(isPrepared: isPrepared, objects: objects) }
        return copy
    }
}
