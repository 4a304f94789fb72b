public import Bytes

/// The sealed, signed table of contents of a pack.
///
///     offset  size  field
///          0     1  kind of pack: 1 data, 2 map
///          1     3  reserved, 0
///          4     4  member epoch of the pack's header
///          8     8  byte count of the whole pack
///         16     4  key count k
///          …     …  k keys: session key id (16), recipient count r (2), r times recipient id (16) and sealed key (80)
///          …     4  segment count s
///          …   40s  s segments: offset (4), sealed byte count (4), encoded byte count (4), decoded byte count (4), codec (1),
///                   index of its key in the table, 255 for the member map key (1), reserved (2), digest (16), chunk count (4)
///          …   32c  column of ids of all c chunks, in the order of segments
///          …    4c  column of byte counts of all chunks
public struct PackDirectory: Equatable, Sendable {
    public struct Chunk: Equatable, Sendable {
        public var id: ChunkID
        public var byteCount: UInt32

        public init(id: ChunkID, byteCount: UInt32) { (self.id, self.byteCount) = (id, byteCount) }
    }

    public struct Segment: Equatable, Sendable {
        public static let byteCount = 40
        /// Stands for the member map key where the index of a session key would.
        public static let memberKeyIndex: UInt8 = 255

        /// From the start of the pack.
        public var offset: UInt32
        /// With salt, padding and tag.
        public var sealedByteCount: UInt32
        /// Of the plaintext that was sealed, without padding.
        public var encodedByteCount: UInt32
        public var decodedByteCount: UInt32
        public var codec: Codec
        public var keyIndex: UInt8
        /// Keyed, over the sealed bytes: lets a segment be copied unopened.
        public var digest: RandomID
        /// One after another, without gaps.
        public var chunks: [Chunk]

        public init(
            offset: UInt32, sealedByteCount: UInt32, encodedByteCount: UInt32, decodedByteCount: UInt32, codec: Codec, keyIndex: UInt8,
            digest: RandomID, chunks: [Chunk]
        ) {
            self.offset = offset
            self.sealedByteCount = sealedByteCount
            self.encodedByteCount = encodedByteCount
            self.decodedByteCount = decodedByteCount
            self.codec = codec
            self.keyIndex = keyIndex
            self.digest = digest
            self.chunks = chunks
        }
    }

    public enum Kind: UInt8, Sendable {
        case data = 1
        case map = 2

        public var packType: ObjectType { self == .data ? .dataPack : .mapPack }
        public var segmentType: ObjectType { self == .data ? .dataSegment : .mapSegment }
        public var directoryType: ObjectType { self == .data ? .dataDirectory : .mapDirectory }
    }

    public var kind: Kind
    /// Whose keys open the segments and made the chunk ids.
    public var epoch: UInt32
    public var packByteCount: UInt64
    public var keys: [Key]
    public var segments: [Segment]

    public init(kind: Kind, epoch: UInt32, packByteCount: UInt64, keys: [Key], segments: [Segment]) {
        self.kind = kind
        self.epoch = epoch
        self.packByteCount = packByteCount
        self.keys = keys
        self.segments = segments
    }

    /// Bytes of an encoded directory, known before it is made.
    public static func encodedByteCount(keys: [Key], segmentCount: Int, chunkCount: Int) -> Int {
        20 + byteCount(of: keys) + segmentCount * Segment.byteCount + chunkCount * 36
    }

    public var encoded: [UInt8] {
        let chunkCount = segments.reduce(0) { $0 + $1.chunks.count }
        var writer = ByteWriter(reservingByteCount: PackDirectory.encodedByteCount(keys: keys, segmentCount: segments.count, chunkCount: chunkCount))
        writer.write([kind.rawValue, 0, 0, 0])
        writer.write(epoch)
        writer.write(packByteCount)
        PackDirectory.write(keys, to: &writer)
        writer.write(UInt32(segments.count))
        for segment in segments {
            writer.write(segment.offset)
            writer.write(segment.sealedByteCount)
            writer.write(segment.encodedByteCount)
            writer.write(segment.decodedByteCount)
            writer.write([segment.codec.rawValue, segment.keyIndex, 0, 0])
            writer.write(segment.digest)
            writer.write(UInt32(segment.chunks.count))
        }
        for segment in segments { for chunk in segment.chunks { writer.write(chunk.id.digest) } }
        for segment in segments { for chunk in segment.chunks { writer.write(chunk.byteCount) } }
        return writer.bytes
    }

    public init(decoding bytes: ArraySlice<UInt8>) throws(FormatError) {
        self = try decodingLayout { () throws(DecodingError) in try PackDirectory(reading: bytes) }
    }

    private init(reading bytes: ArraySlice<UInt8>) throws(DecodingError) {
        var reader = ByteReader(bytes)
        guard let kind = Kind(rawValue: try reader.readUInt8("kind of pack")) else { throw .invalid(field: "kind of pack") }
        self.kind = kind
        guard try reader.read(byteCount: 3, "reserved").allSatisfy({ $0 == 0 }) else { throw .invalid(field: "reserved") }
        epoch = try reader.readUInt32("member epoch")
        guard epoch > 0 else { throw .invalid(field: "member epoch") }
        packByteCount = try reader.readUInt64("pack byte count")
        guard packByteCount <= UInt64(FormatLimits.packByteCountMax) else { throw .outOfBounds(field: "pack byte count") }
        keys = try PackDirectory.readKeys(&reader)
        guard kind == .data || keys.isEmpty else { throw .invalid(field: "key count") }
        segments = try PackDirectory.readSegments(&reader, kind: kind, packByteCount: packByteCount, keyCount: keys.count)
        for index in segments.indices {
            for chunk in segments[index].chunks.indices { segments[index].chunks[chunk].id = ChunkID(try reader.readDigest("chunk id")) }
        }
        for index in segments.indices {
            var covered = 0
            for chunk in segments[index].chunks.indices {
                let byteCount = try reader.readUInt32("chunk byte count")
                guard byteCount > 0, byteCount <= FormatLimits.chunkByteCountMax else { throw .outOfBounds(field: "chunk byte count") }
                segments[index].chunks[chunk].byteCount = byteCount
                covered += Int(byteCount)
            }
            guard covered == Int(segments[index].decodedByteCount) else { throw .invalid(field: "sum of chunk byte counts") }
        }
        try reader.finish()
    }

    /// Segments with as many empty chunks as they will have; ids and byte counts stand in the columns behind.
    private static func readSegments(
        _ reader: inout ByteReader, kind: Kind, packByteCount: UInt64, keyCount: Int
    ) throws(DecodingError) -> [Segment] {
        let count = try reader.readCount(limit: FormatLimits.segmentsPerPackMax, itemByteCount: Segment.byteCount, "segment count")
        var segments: [Segment] = []
        segments.reserveCapacity(count)
        var end = UInt64(ObjectHeader.byteCount)
        var chunkCount = 0
        for _ in 0..<count {
            let offset = try reader.readUInt32("segment offset")
            let sealed = try reader.readUInt32("sealed byte count")
            let encoded = try reader.readUInt32("encoded byte count")
            let decoded = try reader.readUInt32("decoded byte count")
            guard let codec = Codec(rawValue: try reader.readUInt8("codec")) else { throw .invalid(field: "codec") }
            let keyIndex = try reader.readUInt8("key index")
            guard try reader.readUInt16("reserved") == 0 else { throw .invalid(field: "reserved") }
            let digest = try reader.readRandomID("segment digest")
            let chunks = Int(try reader.readUInt32("chunk count"))
            guard UInt64(offset) == end, UInt64(offset) + UInt64(sealed) <= packByteCount else { throw .outOfBounds(field: "segment offset") }
            end = UInt64(offset) + UInt64(sealed)
            guard decoded > 0, decoded <= FormatLimits.segmentByteCountMax else { throw .outOfBounds(field: "decoded byte count") }
            guard encoded > 0, Int(sealed) <= FormatLimits.segmentByteCountMax + PackLayout.smallSegmentStep,
                Int(encoded) + PackLayout.segmentOverheadByteCount <= Int(sealed)
            else { throw .outOfBounds(field: "sealed byte count") }
            guard codec != .raw || encoded == decoded else { throw .invalid(field: "encoded byte count") }
            let padded = PackLayout.paddedByteCount(encoded: Int(encoded), decoded: Int(decoded), chunkCount: chunks)
            guard padded + PackLayout.segmentOverheadByteCount == Int(sealed) else { throw .invalid(field: "sealed byte count") }
            let keyIsLegal = kind == .map ? keyIndex == Segment.memberKeyIndex : Int(keyIndex) < keyCount
            guard keyIsLegal else { throw .invalid(field: "key index") }
            chunkCount += chunks
            guard chunks > 0, chunkCount <= FormatLimits.chunksPerPackMax, chunkCount * 36 <= reader.remainingByteCount else {
                throw .outOfBounds(field: "chunk count")
            }
            segments.append(
                Segment(
                    offset: offset, sealedByteCount: sealed, encodedByteCount: encoded, decodedByteCount: decoded, codec: codec,
                    keyIndex: keyIndex, digest: digest,
                    chunks: [Chunk](repeating: Chunk(id: MapEntry.noChunk, byteCount: 0), count: chunks)))
        }
        return segments
    }
}
