import Bytes

/// The list of entries that covers one band, stored as a chunk of kind map. Section: Specs/format/map.md.
///
///     offset  size  field
///          0     1  type, 1
///          1     1  level, 0
///          2     2  flags: bit 0, the column of chunk offsets is present
///          4     4  entry count n
///          8     n  column of kinds
///          …    4n  column of byte counts
///          …   32d  column of chunk ids, for the d entries of kind data
///          …   16d  column of fingerprints
///          …    4d  column of chunk offsets, if flags say so
public struct BandMap: Equatable, Sendable {
    public static let type: UInt8 = 1
    private static let hasChunkOffsets: UInt16 = 1

    public var entries: [MapEntry]

    public init(entries: [MapEntry]) { self.entries = entries }

    public var byteCount: Int { entries.reduce(0) { $0 + Int($1.byteCount) } }

    public var encoded: [UInt8] {
        let data = entries.filter { $0.kind == .data }
        let hasOffsets = data.contains { $0.chunkOffset != 0 }
        var writer = ByteWriter(reservingByteCount: 8 + entries.count * 5 + data.count * 52)
        writer.write([BandMap.type, 0])
        writer.write(hasOffsets ? BandMap.hasChunkOffsets : 0)
        writer.write(UInt32(entries.count))
        for entry in entries { writer.write(entry.kind.rawValue) }
        for entry in entries { writer.write(entry.byteCount) }
        for entry in data { writer.write(entry.chunk.digest) }
        for entry in data {
            writer.write(entry.fingerprint.low)
            writer.write(entry.fingerprint.high)
        }
        if hasOffsets { for entry in data { writer.write(entry.chunkOffset) } }
        return writer.bytes
    }

    /// Decodes and checks that the entries cover exactly `bandByteCount` bytes.
    public init(decoding bytes: [UInt8], bandByteCount: Int) throws(FormatError) {
        entries = try decodingLayout { () throws(DecodingError) in
            var reader = ByteReader(bytes)
            guard try reader.readUInt8("map type") == BandMap.type else { throw .invalid(field: "map type") }
            guard try reader.readUInt8("map level") == 0 else { throw .invalid(field: "map level") }
            let flags = try reader.readUInt16("map flags")
            guard flags & ~BandMap.hasChunkOffsets == 0 else { throw .invalid(field: "map flags") }
            let count = try reader.readCount(limit: FormatLimits.bandMapEntryCountMax, itemByteCount: 5, "entry count")
            var entries: [MapEntry] = []
            entries.reserveCapacity(count)
            for byte in try reader.read(byteCount: count, "kinds") {
                guard let kind = MapKind(rawValue: byte), kind != .map, kind != .node else { throw .invalid(field: "entry kind") }
                entries.append(MapEntry(kind: kind, byteCount: 0))
            }
            var covered = 0
            for index in entries.indices {
                let byteCount = try reader.readUInt32("entry byte count")
                guard byteCount > 0, Int(byteCount) <= bandByteCount - covered else { throw .outOfBounds(field: "entry byte count") }
                entries[index].byteCount = byteCount
                covered += Int(byteCount)
            }
            guard covered == bandByteCount else { throw .invalid(field: "sum of entry byte counts") }
            let data = entries.indices.filter { entries[$0].kind == .data }
            for index in data { entries[index].chunk = ChunkID(try reader.readDigest("chunk id")) }
            for index in data { entries[index].fingerprint = Fingerprint(try reader.readRandomID("fingerprint")) }
            if flags & BandMap.hasChunkOffsets != 0 {
                for index in data {
                    let offset = try reader.readUInt32("chunk offset")
                    guard Int(offset) + Int(entries[index].byteCount) <= FormatLimits.chunkByteCountMax else { throw .outOfBounds(field: "chunk offset") }
                    entries[index].chunkOffset = offset
                }
            }
            guard data.allSatisfy({ Int(entries[$0].byteCount) <= FormatLimits.chunkByteCountMax }) else { throw .outOfBounds(field: "entry byte count") }
            try reader.finish()
            return entries
        }
    }
}
