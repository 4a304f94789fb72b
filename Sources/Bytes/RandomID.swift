/// 16 random bytes that name something which is not named by its content.
public struct RandomID: Hashable, Sendable, BitwiseCopyable {
    public static let byteCount = 16

    package let low: UInt64
    package let high: UInt64

    /// - Precondition: `bytes` has exactly 16 bytes.
    public init(_ bytes: some Collection<UInt8>) {
        self = unsafe bytes.withContiguousStorageIfAvailable { unsafe RandomID(loading: UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { unsafe RandomID(loading: $0) }
    }

    private init(loading bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == RandomID.byteCount, "a random id has 16 bytes")
        func word(_ index: Int) -> UInt64 { unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)) }
        (low, high) = (word(0), word(1))
    }

    /// The first half of a digest.
    package init(_ digest: Digest) { (low, high) = (digest.words.0, digest.words.1) }

    /// Nil unless `hexadecimal` is 32 lower-case digits.
    public init?(hexadecimal: some StringProtocol) {
        guard let bytes = Hexadecimal.decode(hexadecimal), bytes.count == RandomID.byteCount else { return nil }
        self.init(bytes)
    }

    public var bytes: [UInt8] {
        var writer = ByteWriter(reservingByteCount: RandomID.byteCount)
        writer.write(self)
        return writer.bytes
    }

    public var hexadecimal: String { Hexadecimal.encode(bytes) }
}

/// A random id of one kind of thing.
public protocol RandomlyNamed: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
    var id: RandomID { get }
    init(_ id: RandomID)
}

extension RandomlyNamed {
    /// Nil unless `hexadecimal` is 32 lower-case digits.
    public init?(hexadecimal: some StringProtocol) {
        guard let id = RandomID(hexadecimal: hexadecimal) else { return nil }
        self.init(id)
    }

    public var hexadecimal: String { id.hexadecimal }
    public var description: String { hexadecimal }
}

/// Names one repository.
public struct RepositoryID: RandomlyNamed {
    public let id: RandomID
    public init(_ id: RandomID) { self.id = id }
}

/// Names a set of keys; repositories that share it can exchange packs unopened.
public struct KeyspaceID: RandomlyNamed {
    public let id: RandomID
    public init(_ id: RandomID) { self.id = id }
}

/// Names a session, and the snapshot that the session commits.
public struct SessionID: RandomlyNamed {
    public let id: RandomID
    public init(_ id: RandomID) { self.id = id }
}

/// A snapshot is named by the session that committed it.
public typealias SnapshotID = SessionID

/// Names a key slot.
public struct SlotID: RandomlyNamed {
    public let id: RandomID
    public init(_ id: RandomID) { self.id = id }
}

/// Names the data key of one writing session in a pack's key table.
public struct SessionKeyID: RandomlyNamed {
    public let id: RandomID
    public init(_ id: RandomID) { self.id = id }
}
