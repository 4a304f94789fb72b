import Bytes
import RepositoryFormat

extension PackRecord {
    /// The record in a run file: id (32), kind (1), epoch (4), byte count (8), keys as in a directory, segment
    /// count (4) and for each offset, sealed, encoded and decoded byte count (4 each), codec (1), key index (1).
    var encoded: [UInt8] {
        var writer = ByteWriter(reservingByteCount: 49 + PackDirectory.byteCount(of: keys) + segments.count * 18)
        writer.write(id.digest)
        writer.write(kind.rawValue)
        writer.write(epoch)
        writer.write(byteCount)
        PackDirectory.write(keys, to: &writer)
        writer.write(UInt32(segments.count))
        for segment in segments {
            writer.write(segment.offset)
            writer.write(segment.sealedByteCount)
            writer.write(segment.encodedByteCount)
            writer.write(segment.decodedByteCount)
            writer.write(segment.codec.rawValue)
            writer.write(segment.keyIndex)
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8], isCounting: Bool) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let id = PackID(try reader.readDigest("pack id"))
        guard let kind = PackDirectory.Kind(rawValue: try reader.readUInt8("kind")) else { throw .invalid(field: "kind") }
        let epoch = try reader.readUInt32("epoch")
        let byteCount = try reader.readUInt64("byte count")
        let keys = try PackDirectory.readKeys(&reader)
        var segments: [SegmentPlace] = []
        let count = try reader.readCount(limit: FormatLimits.segmentsPerPackMax, itemByteCount: 18, "segment count")
        segments.reserveCapacity(count)
        for _ in 0..<count {
            let (offset, sealed) = (try reader.readUInt32("offset"), try reader.readUInt32("sealed byte count"))
            let (encoded, decoded) = (try reader.readUInt32("encoded byte count"), try reader.readUInt32("decoded byte count"))
            guard let codec = Codec(rawValue: try reader.readUInt8("codec")) else { throw .invalid(field: "codec") }
            segments.append(
                SegmentPlace(
                    offset: offset, sealedByteCount: sealed, encodedByteCount: encoded, decodedByteCount: decoded, codec: codec,
                    keyIndex: try reader.readUInt8("key index")))
        }
        try reader.finish()
        self.init(id: id, kind: kind, epoch: epoch, byteCount: byteCount, keys: keys, segments: segments, isCounting: isCounting)
    }
}
