package import Bytes
import Compression
package import RepositoryFormat
package import Sealing
import Glibc

/// One worker's open segment: gathers new chunks, then compresses, verifies, seals and hands them to a pack writer.
///
/// Not shared: each worker has one a kind. Memory: three times the largest segment it meets, 3 MiB usually.
package final class SegmentBuilder {
    /// A segment whose chunks are scattered is closed early: what is stored beside each other for no reason dies at different times, and the rest would have to be
    /// read with every chunk that lives on. Scattered is what comes from more bands than this, or lies this many times its size apart within them.
    private static let bandCountMax = 8
    private static let skippedRatioMax = 2
    private static let scatteredByteCount = 256 << 10

    /// Until the segment is sealed.
    private static let noDigest = RandomID([UInt8](repeating: 0, count: RandomID.byteCount))

    private let kind: PackDirectory.Kind
    private let member: MemberKeys
    private let associatedData: [UInt8]
    private let sessionKey: SecretBytes?
    private let writer: PackWriter
    private let level: Int?
    private let compressor = SegmentCompressor()
    private let decompressor = SegmentDecompressor()

    private var plain: AlignedBuffer
    private var encoded: AlignedBuffer
    private var decoded: AlignedBuffer
    private var byteCount = 0
    private var chunks: [PackDirectory.Chunk] = []
    private var bands: Set<UInt64> = []
    /// Where the last chunk ends, and all that lies between neighbours within a band.
    private var last: (band: UInt64, end: Int)?
    private var skippedByteCount = 0

    /// - Parameters:
    ///   - sessionKey: for data segments; map segments are sealed under the member's map key.
    ///   - level: of zstd; nil stores raw.
    package init(
        _ kind: PackDirectory.Kind, sealer: DocumentSealer, sessionKey: SecretBytes?, writer: PackWriter, level: Int?
    ) {
        self.kind = kind
        member = sealer.member
        associatedData = sealer.keyspaceBinding(kind.segmentType).associatedData
        self.sessionKey = sessionKey
        self.writer = writer
        self.level = level
        let capacity = PackLayout.segmentByteCount
        plain = AlignedBuffer(byteCapacity: capacity)
        encoded = AlignedBuffer(byteCapacity: SegmentBuilder.encodedCapacity(capacity))
        decoded = AlignedBuffer(byteCapacity: capacity)
    }

    private static func encodedCapacity(_ plain: Int) -> Int { plain + 2 * PackLayout.smallSegmentStep }

    /// Adds a chunk that the session has claimed. `band` and the offset in it only tell which chunks are neighbours.
    package func append(_ id: ChunkID, _ bytes: UnsafeRawBufferPointer, band: UInt64, offset: Int = 0) throws(PackingError) {
        precondition(bytes.count > 0 && bytes.count <= FormatLimits.chunkByteCountMax, "a chunk within the format's limits")
        if byteCount > 0, byteCount + bytes.count > PackLayout.segmentByteCount { try flush() }
        if bytes.count > plain.byteCapacity { grow(to: bytes.count) }
        unsafe plain.copy(bytes, at: byteCount)
        byteCount += bytes.count
        chunks.append(PackDirectory.Chunk(id: id, byteCount: UInt32(bytes.count)))
        bands.insert(band)
        if let last, last.band == band { skippedByteCount += max(0, offset - last.end) }
        last = (band, offset + bytes.count)
        if byteCount >= SegmentBuilder.scatteredByteCount, isScattered { try flush() }
    }

    private var isScattered: Bool {
        bands.count > SegmentBuilder.bandCountMax || skippedByteCount > SegmentBuilder.skippedRatioMax * byteCount
    }

    /// Closes the open segment, if there is one.
    package func flush() throws(PackingError) {
        guard byteCount > 0 else { return }
        let (codec, encodedByteCount) = try encode()
        let padded = PackLayout.paddedByteCount(encoded: encodedByteCount, decoded: byteCount, chunkCount: chunks.count)
        let source = codec == .raw ? plain : encoded
        if padded > source.byteCapacity {
            // Raw bytes that fill their buffer, and padding: move to the roomier one.
            unsafe encoded.copy(UnsafeRawBufferPointer(start: plain.base, count: byteCount), at: 0)
        }
        let padding = padded > source.byteCapacity ? encoded : source
        padding.zero(encodedByteCount..<padded)

        let salt = member.salt(for: chunks)
        let key = SegmentKey.derive(kind, sessionKey: sessionKey, member: member, salt: salt)
        let plaintext = unsafe UnsafeRawBufferPointer(start: padding.base, count: padded)
        let record = PackDirectory.Segment(
            offset: 0, sealedByteCount: UInt32(padded + PackLayout.segmentOverheadByteCount), encodedByteCount: UInt32(encodedByteCount),
            decodedByteCount: UInt32(byteCount), codec: codec, keyIndex: kind == .data ? 0 : PackDirectory.Segment.memberKeyIndex, digest: SegmentBuilder.noDigest, chunks: chunks)
        try unsafe writer.append(record) { sealed in
            unsafe salt.bytes.withUnsafeBytes { unsafe sealed.copyMemory(from: $0) }
            unsafe AuthenticatedCipher.seal(
                plaintext, key: key, associatedData: associatedData, into: UnsafeMutableRawBufferPointer(rebasing: sealed[Digest.byteCount...]))
            return unsafe member.segmentDigest(UnsafeRawBufferPointer(sealed))
        }
        byteCount = 0
        // What the pack's record has now is not copied; the next segment has about as many.
        let count = chunks.count
        chunks = []
        chunks.reserveCapacity(count)
        bands.removeAll(keepingCapacity: true)
        last = nil
        skippedByteCount = 0
    }

    /// Compresses into `encoded` and proves by decoding that nothing was lost; raw if that gains too little.
    private func encode() throws(PackingError) -> (Codec, Int) {
        guard let level else { return (.raw, byteCount) }
        let source = unsafe UnsafeRawBufferPointer(start: plain.base, count: byteCount)
        let target = unsafe UnsafeMutableRawBufferPointer(start: encoded.base, count: encoded.byteCapacity)
        let encodedByteCount: Int
        do throws(CompressionError) {
            guard let count = unsafe try compressor.compress(source, into: target, level: level) else { return (.raw, byteCount) }
            encodedByteCount = count
            unsafe try decompressor.decompress(
                UnsafeRawBufferPointer(start: encoded.base, count: count),
                into: UnsafeMutableRawBufferPointer(start: decoded.base, count: decoded.byteCapacity), decodedByteCount: byteCount)
        } catch { throw .compression(error) }
        guard unsafe memcmp(plain.base, decoded.base, byteCount) == 0 else { throw .selfCheckFailed }
        return (.zstd, encodedByteCount)
    }

    private func grow(to capacity: Int) {
        precondition(byteCount == 0, "a larger chunk stands alone in its segment")
        plain = AlignedBuffer(byteCapacity: capacity)
        encoded = AlignedBuffer(byteCapacity: SegmentBuilder.encodedCapacity(capacity))
        decoded = AlignedBuffer(byteCapacity: capacity)
    }
}
