public import Bytes

/// The object `keys/<id>`: a role's secrets under a password or a key file. Section: Specs/format/keys.md.
///
///     offset  size  field
///          0    48  header, epoch 0, random salt
///         48     1  derivation: 1 Argon2id of a password, 2 key file
///         49     3  reserved, 0
///         52     4  Argon2id operations; 0 for a key file
///         56     8  Argon2id bytes of memory; 0 for a key file
///         64    16  Argon2id salt
///         80    32  key commitment
///        112     …  sealed payload
public struct KeySlot: Equatable, Sendable {
    public enum Derivation: Equatable, Sendable {
        case password(operations: UInt32, byteCount: UInt64)
        case keyFile
    }

    public static let sealedOffset = 112

    public var salt: Digest
    public var derivation: Derivation
    public var derivationSalt: RandomID
    public var commitment: Digest
    public var sealedPayload: ArraySlice<UInt8>

    public init(
        salt: Digest, derivation: Derivation, derivationSalt: RandomID, commitment: Digest, sealedPayload: ArraySlice<UInt8>
    ) {
        self.salt = salt
        self.derivation = derivation
        self.derivationSalt = derivationSalt
        self.commitment = commitment
        self.sealedPayload = sealedPayload
    }

    /// Everything before the sealed payload; authenticated by its AEAD.
    public var prefix: [UInt8] {
        var writer = ByteWriter(reservingByteCount: KeySlot.sealedOffset)
        writer.write(ObjectHeader(type: .keySlot, epoch: 0, salt: salt).encoded)
        switch derivation {
        case .password(let operations, let byteCount):
            writer.write([1, 0, 0, 0])
            writer.write(operations)
            writer.write(byteCount)
        case .keyFile:
            writer.write([2, 0, 0, 0])
            writer.write(UInt32(0))
            writer.write(UInt64(0))
        }
        writer.write(derivationSalt)
        writer.write(commitment)
        return writer.bytes
    }

    public var encoded: [UInt8] { prefix + sealedPayload }

    /// The associated data of the payload: the prefix, then the byte count (2) and the bytes of the object's name.
    public func associatedData(name: String) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(prefix)
        writer.write(UInt16(name.utf8.count))
        writer.write(Array(name.utf8))
        return writer.bytes
    }

    /// Bounds of the derivation are checked here, before anybody takes memory for it.
    public init(decoding object: [UInt8]) throws(FormatError) {
        let header = try ObjectHeader(of: object[...], expecting: .keySlot)
        salt = header.salt
        let fields = try decodingLayout { () throws(DecodingError) in
            var reader = ByteReader(object[ObjectHeader.byteCount...])
            return (
                derivation: try reader.readUInt8("derivation"), reserved: try reader.read(byteCount: 3, "reserved"),
                operations: try reader.readUInt32("operations"), byteCount: try reader.readUInt64("memory"),
                salt: try reader.readRandomID("derivation salt"), commitment: try reader.readDigest("commitment")
            )
        }
        guard fields.reserved.allSatisfy({ $0 == 0 }) else { throw .layout(.invalid(field: "reserved")) }
        switch fields.derivation {
        case 1:
            guard FormatLimits.argonOperations.contains(fields.operations) else { throw .layout(.outOfBounds(field: "Argon2id operations")) }
            guard FormatLimits.argonByteCount.contains(fields.byteCount), fields.byteCount % 1024 == 0 else { throw .layout(.outOfBounds(field: "Argon2id memory")) }
            derivation = .password(operations: fields.operations, byteCount: fields.byteCount)
        case 2:
            guard fields.operations == 0, fields.byteCount == 0 else { throw .layout(.invalid(field: "derivation")) }
            derivation = .keyFile
        default: throw .layout(.invalid(field: "derivation"))
        }
        derivationSalt = fields.salt
        commitment = fields.commitment
        sealedPayload = object[KeySlot.sealedOffset...]
    }
}
