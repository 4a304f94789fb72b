public import Bytes

/// What an object, or a sealed part of one, is. The byte stands in the header and in everything's associated data.
public enum ObjectType: UInt8, CaseIterable, Sendable {
    case config = 1
    case keyring = 2
    case keySlot = 3
    case dataPack = 4
    case mapPack = 5
    case index = 6
    case manifest = 7
    case mark = 8
    case session = 9
    case condemnedList = 10
    case verdict = 11
    case verified = 12
    case heartbeat = 13
    case abortRecord = 14
    case awaitedSessions = 15
    // Parts of packs, sealed on their own.
    case dataSegment = 32
    case mapSegment = 33
    case dataDirectory = 34
    case mapDirectory = 35

    /// Of these, nothing is sealed with a key that derives from a member secret.
    var hasNoEpoch: Bool { self == .config || self == .keyring || self == .keySlot }
}

/// The 48 plain bytes that every object begins with.
///
///     offset  size  field
///          0     8  magic, "HOLDFAST"
///          8     1  type
///          9     1  format version, 1
///         10     1  suite, 1
///         11     1  reserved, 0
///         12     4  member epoch, little-endian; 0 where no member key is used
///         16    32  salt of the one-time key; zeros where nothing is sealed with one
public struct ObjectHeader: Equatable, Sendable {
    public static let byteCount = 48
    public static let magic: [UInt8] = Array("HOLDFAST".utf8)

    public var type: ObjectType
    public var epoch: UInt32
    public var salt: Digest

    public static let noSalt = Digest([UInt8](repeating: 0, count: Digest.byteCount))

    public init(type: ObjectType, epoch: UInt32, salt: Digest) {
        self.type = type
        self.epoch = epoch
        self.salt = salt
    }

    public var encoded: [UInt8] {
        var writer = ByteWriter(reservingByteCount: ObjectHeader.byteCount)
        writer.write(ObjectHeader.magic)
        writer.write(type.rawValue)
        writer.write(FormatLimits.version)
        writer.write(FormatLimits.suite)
        writer.write(UInt8(0))
        writer.write(epoch)
        writer.write(salt)
        return writer.bytes
    }

    /// Reads the header at the start of `object` and checks that it is one of `types`, in a version this program knows.
    public init(of object: ArraySlice<UInt8>, expecting types: ObjectType...) throws(FormatError) {
        guard object.starts(with: ObjectHeader.magic) else { throw .notAnObject }
        var reader = ByteReader(object.dropFirst(ObjectHeader.magic.count))
        // The version comes first: what another one means by the rest is not known here.
        let (found, version, suite) = try decodingLayout { () throws(DecodingError) in
            (try reader.readUInt8("type"), try reader.readUInt8("format version"), try reader.readUInt8("suite"))
        }
        guard version == FormatLimits.version else { throw .newerFormat(version: version) }
        guard suite == FormatLimits.suite else { throw .unknownSuite(suite) }
        guard let type = ObjectType(rawValue: found), types.contains(type) else { throw .wrongType(found: found, expected: types[0]) }
        self.type = type
        (epoch, salt) = try decodingLayout { () throws(DecodingError) in
            guard try reader.readUInt8("reserved") == 0 else { throw .invalid(field: "reserved") }
            let epoch = try reader.readUInt32("member epoch")
            guard (epoch == 0) == type.hasNoEpoch else { throw .invalid(field: "member epoch") }
            return (epoch, try reader.readDigest("salt"))
        }
    }
}
