public import Bytes

/// What a sealed or signed thing is bound to, so that it cannot be passed off as another.
public struct Binding: Equatable, Sendable {
    /// The repository the thing belongs to, or the keyspace alone for what may be copied unopened between repositories with the same keys.
    public enum Scope: Equatable, Sendable {
        case keyspace(KeyspaceID)
        case repository(KeyspaceID, RepositoryID)
    }

    public var type: ObjectType
    public var epoch: UInt32
    public var scope: Scope
    /// Full object name; empty for objects named by their digest, and for parts of packs.
    public var name: String

    public init(type: ObjectType, epoch: UInt32, scope: Scope, name: String) {
        self.type = type
        self.epoch = epoch
        self.scope = scope
        self.name = name
    }

    /// The associated data of the AEAD.
    ///
    ///     offset  size  field
    ///          0     1  format version
    ///          1     1  suite
    ///          2     1  type
    ///          3     1  scope: 1 keyspace, 2 repository
    ///          4     4  member epoch
    ///          8    16  keyspace id
    ///         24    16  repository id; zeros if the scope is the keyspace
    ///         40     2  byte count of the name
    ///         42     …  name, UTF-8
    public var associatedData: [UInt8] {
        var writer = ByteWriter(reservingByteCount: 42 + name.utf8.count)
        writer.write(FormatLimits.version)
        writer.write(FormatLimits.suite)
        writer.write(type.rawValue)
        switch scope {
        case .keyspace(let keyspace):
            writer.write(UInt8(1))
            writer.write(epoch)
            writer.write(keyspace.id)
            writer.write([UInt8](repeating: 0, count: RandomID.byteCount))
        case .repository(let keyspace, let repository):
            writer.write(UInt8(2))
            writer.write(epoch)
            writer.write(keyspace.id)
            writer.write(repository.id)
        }
        writer.write(UInt16(name.utf8.count))
        writer.write(Array(name.utf8))
        return writer.bytes
    }

    public static let signatureDomain: [UInt8] = Array("holdfast signature v1".utf8)

    /// What an Ed25519 signature of `body` covers.
    ///
    ///     domain, 21 bytes ‖ type ‖ format version ‖ repository id, or keyspace id if that is the scope, 16 bytes
    ///     ‖ byte count of the name, 2 bytes ‖ name ‖ body
    public func signedMessage(_ body: some Collection<UInt8>) -> [UInt8] {
        var writer = ByteWriter(reservingByteCount: 64 + name.utf8.count + body.count)
        writer.write(Binding.signatureDomain)
        writer.write(type.rawValue)
        writer.write(FormatLimits.version)
        switch scope {
        case .keyspace(let keyspace): writer.write(keyspace.id)
        case .repository(_, let repository): writer.write(repository.id)
        }
        writer.write(UInt16(name.utf8.count))
        writer.write(Array(name.utf8))
        writer.write(body)
        return writer.bytes
    }
}

/// A body with the slot that wrote it and the slot's signature: the plaintext of every sealed document.
///
///     offset  size  field
///          0    16  slot id
///         16    64  Ed25519 signature, see `Binding.signedMessage`
///         80     …  body
public struct SignedDocument: Equatable, Sendable {
    public static let signatureByteCount = 64
    public static let bodyOffset = RandomID.byteCount + signatureByteCount

    public var slot: SlotID
    public var signature: [UInt8]
    public var body: ArraySlice<UInt8>

    public init(slot: SlotID, signature: [UInt8], body: ArraySlice<UInt8>) {
        self.slot = slot
        self.signature = signature
        self.body = body
    }

    public var encoded: [UInt8] {
        var writer = ByteWriter(reservingByteCount: SignedDocument.bodyOffset + body.count)
        writer.write(slot.id)
        writer.write(signature)
        writer.write(body)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(FormatError) {
        do throws(DecodingError) {
            var reader = ByteReader(bytes)
            slot = SlotID(try reader.readRandomID("slot"))
            signature = Array(try reader.read(byteCount: SignedDocument.signatureByteCount, "signature"))
            body = try reader.read(byteCount: reader.remainingByteCount, "body")
        } catch { throw .layout(error) }
    }
}
