/// Whether a put stored the bytes or found the name taken.
public enum PutOutcome: Equatable, Sendable {
    case created
    /// The object that was there is untouched.
    case occupied
}

/// What a backend can and cannot promise, as data.
public struct StorageCapabilities: Equatable, Sendable {
    /// Of racing `put`s of one name exactly one sees `.created`.
    public var createsAtomically: Bool
    /// Of two clients that each create an object and then list, at least one sees the other's.
    public var listsConsistently: Bool

    public init(createsAtomically: Bool, listsConsistently: Bool) {
        self.createsAtomically = createsAtomically
        self.listsConsistently = listsConsistently
    }
}

/// Where the objects of one repository live.
///
/// Objects are written once, whole or not at all, and never changed. Calls block their thread and may be made from many
/// threads at once. "Cannot list" is an error, never an empty listing.
public protocol StorageBackend: Sendable {
    /// For messages: a path or URL without secrets.
    var place: String { get }

    var capabilities: StorageCapabilities { get }

    /// Makes the place ready to take a new repository: folders, or whatever the backend needs.
    ///
    /// - Throws: `.accessDenied`, `.readOnly`, `.full`, `.failed`. Doing it twice is harmless.
    func prepare() throws(StorageError)

    /// Stores `bytes` under `name` unless the name is taken.
    ///
    /// Returns when the bytes are durable; the name is durable after the next `barrier()`. A failed call leaves nothing under
    /// the name, and nothing that is not removed by a later write session.
    func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome

    /// Makes the names of everything durable that was put, or found by `stat`, before the call.
    func barrier() throws(StorageError)

    /// The whole object, or `.tooLarge` before anything is allocated for it.
    func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8]

    /// Exactly the bytes of `range`, or `.shortObject`.
    func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8]

    /// The same into memory of the caller: as many bytes from `offset` on as there is room for.
    func get(_ name: ObjectName, at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(StorageError)

    /// Nil when there is no such object.
    func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo?

    /// All objects of one kind, in no particular order. What is not a legal name is passed over. For `config`: itself, if it is there.
    ///
    /// - Throws: `.noRepository` when the repository's root itself is missing.
    func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo]

    /// Room for new objects, as far as it is known: nil where there is no limit or none is told.
    func availableByteCount() throws(StorageError) -> UInt64?

    /// Keeps some room on a device that can be full, for the small objects by which more is made. Nothing happens where there is no such device.
    func holdReserve() throws(StorageError)

    /// Gives that room away. False if there was none.
    func releaseReserve() throws(StorageError) -> Bool

    /// Removes an object; removing what is not there is not an error.
    func delete(_ name: ObjectName) throws(StorageError)
}

extension StorageBackend {
    public func get(_ name: ObjectName, at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(StorageError) {
        let fetched = try get(name, range: offset..<offset + UInt64(bytes.count))
        guard fetched.count == bytes.count else { throw .shortObject(name, byteCount: offset + UInt64(fetched.count), expected: offset + UInt64(bytes.count)) }
        for index in fetched.indices { bytes[index] = fetched[index] }
    }

    public func availableByteCount() throws(StorageError) -> UInt64? { nil }
    public func holdReserve() throws(StorageError) {}
    public func releaseReserve() throws(StorageError) -> Bool { false }
}
