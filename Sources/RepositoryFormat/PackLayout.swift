import Bytes

/// How a segment's plaintext was encoded before it was sealed.
public enum Codec: UInt8, Sendable {
    case raw = 0
    case zstd = 1
}

/// Where the pieces of a pack stand. Section: Specs/format/pack.md.
///
///     offset  size  field
///          0    48  header, with the salt of the directory
///         48     …  segments, one after another
///          …     …  zeros up to a Padmé size
///          …     n  sealed directory
///         −8     4  n
///         −4     4  "HFPD"
public enum PackLayout {
    public static let trailerByteCount = 8
    public static let trailerMagic: [UInt8] = Array("HFPD".utf8)
    /// Salt before, tag behind the ciphertext of each segment.
    public static let segmentOverheadByteCount = 48
    public static let tagByteCount = 16
    /// Bytes at which a data pack and a map pack are closed.
    public static let dataPackByteCount = 32 << 20
    public static let mapPackByteCount = 8 << 20
    /// Decoded bytes of a segment, unless one larger chunk stands alone in it.
    public static let segmentByteCount = 1 << 20
    /// Segments with fewer chunks or fewer decoded bytes are small: their stored size is padded.
    public static let smallSegmentChunkCount = 4
    public static let smallSegmentByteCount = 256 << 10
    public static let smallSegmentStep = 16 << 10

    /// Padmé: rounds up so that only the leading bits of a length are told. (Nikitin et al., PoPETs 2019.)
    public static func padme(_ byteCount: Int) -> Int {
        guard byteCount > 1 else { return byteCount }
        let exponent = Int.bitWidth - 1 - byteCount.leadingZeroBitCount
        let significant = Int.bitWidth - exponent.leadingZeroBitCount
        let mask = (1 << (exponent - significant)) - 1
        return (byteCount + mask) & ~mask
    }

    /// What encoded bytes are padded to before sealing, so that a small segment does not betray a chunk's length.
    public static func paddedByteCount(encoded: Int, decoded: Int, chunkCount: Int) -> Int {
        guard chunkCount < smallSegmentChunkCount || decoded < smallSegmentByteCount else { return encoded }
        let sealed = encoded + segmentOverheadByteCount
        return (sealed + smallSegmentStep - 1) / smallSegmentStep * smallSegmentStep - segmentOverheadByteCount
    }

    /// The byte count of the sealed directory that a pack's last 8 bytes tell.
    public static func directoryByteCount(trailer: ArraySlice<UInt8>, packByteCount: UInt64) throws(FormatError) -> Int {
        let (byteCount, magic) = try decodingLayout { () throws(DecodingError) in
            var reader = ByteReader(trailer)
            let byteCount = Int(try reader.readUInt32("directory byte count"))
            return (byteCount, try reader.read(byteCount: 4, "trailer magic"))
        }
        guard magic.elementsEqual(trailerMagic) else { throw .layout(.invalid(field: "trailer magic")) }
        guard byteCount <= FormatLimits.directoryByteCountMax,
            UInt64(byteCount + ObjectHeader.byteCount + trailerByteCount) <= packByteCount
        else { throw .layout(.outOfBounds(field: "directory byte count")) }
        return byteCount
    }
}
