public import Bytes

/// The immutable root of a repository. Section: Specs/format/keys.md.
///
/// Plain, so that it can be read before any key is open; signed by the root key that it names. What it says is believed only
/// after a key slot has confirmed it.
public struct Config: Equatable, Sendable {
    public var repository: RepositoryID
    public var keyspace: KeyspaceID
    /// Ed25519.
    public var rootPublicKey: [UInt8]
    public var averageChunkByteCount: Int
    /// RFC 3339, UTC.
    public var created: String

    public init(repository: RepositoryID, keyspace: KeyspaceID, rootPublicKey: [UInt8], averageChunkByteCount: Int, created: String) {
        self.repository = repository
        self.keyspace = keyspace
        self.rootPublicKey = rootPublicKey
        self.averageChunkByteCount = averageChunkByteCount
        self.created = created
    }

    public var body: [UInt8] {
        let json: JSONValue = [
            "format": .count(FormatLimits.version),
            "repository_id": .string(repository.hexadecimal),
            "keyspace_id": .string(keyspace.hexadecimal),
            "root_public_key": .hexadecimal(rootPublicKey),
            "chunker": ["average_byte_count": .count(averageChunkByteCount)],
            "created": .string(created),
        ]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        guard try json.count("format", limit: 255) == UInt64(FormatLimits.version) else { throw .member("format") }
        repository = RepositoryID(try json.randomID("repository_id"))
        keyspace = KeyspaceID(try json.randomID("keyspace_id"))
        rootPublicKey = try json.bytes("root_public_key", byteCount: 32)
        guard let chunker = json["chunker"] else { throw .member("chunker") }
        averageChunkByteCount = Int(try chunker.count("average_byte_count", limit: 1 << 20))
        created = try json.string("created")
    }
}

/// An object that is plain and signed by the root key: `config` and `keyring/<n>`.
///
///     offset  size  field
///          0    48  header, epoch 0, salt zeros
///         48     …  body, JSON
///       −64     64  Ed25519 signature of the body by the root key
public enum RootSignedObject {
    public static func encode(_ type: ObjectType, body: [UInt8], signature: [UInt8]) -> [UInt8] {
        ObjectHeader(type: type, epoch: 0, salt: ObjectHeader.noSalt).encoded + body + signature
    }

    public static func split(
        _ object: [UInt8], _ type: ObjectType
    ) throws(FormatError) -> (body: ArraySlice<UInt8>, signature: ArraySlice<UInt8>) {
        let header = try ObjectHeader(of: object[...], expecting: type)
        guard header.salt == ObjectHeader.noSalt else { throw .layout(.invalid(field: "salt")) }
        let bodyEnd = object.count - SignedDocument.signatureByteCount
        guard bodyEnd > ObjectHeader.byteCount else { throw .layout(.truncated(field: "signature")) }
        return (object[ObjectHeader.byteCount..<bodyEnd], object[bodyEnd...])
    }
}
