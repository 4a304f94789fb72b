import Bytes
import Compression
import RepositoryFormat
package import Sealing
import Storage
import Threading

/// Opens and decodes segments that were fetched. Safe to use from several threads.
package final class SegmentOpener: Sendable {
    private let sealer: DocumentSealer
    private let dataKeys: DataKeyPair?
    private let dataAssociatedData: [UInt8]
    private let mapAssociatedData: [UInt8]
    /// By the whole entry of the key table: an id alone is not authentic before its key is.
    private let sessionKeys = Monitor<[PackDirectory.Key: SecretBytes]>([:])
    /// Those that no thread uses at the moment.
    private let decompressors = Monitor<[SegmentDecompressor]>([])
    private let buffers: SegmentBuffers

    /// - Parameters:
    ///   - dataKeys: nil for a role that cannot read data.
    ///   - buffers: where decoded segments go.
    package init(_ sealer: DocumentSealer, _ dataKeys: DataKeyPair?, buffers: SegmentBuffers = SegmentBuffers()) {
        self.buffers = buffers
        self.sealer = sealer
        self.dataKeys = dataKeys
        dataAssociatedData = sealer.keyspaceBinding(PackDirectory.Kind.data.segmentType).associatedData
        mapAssociatedData = sealer.keyspaceBinding(PackDirectory.Kind.map.segmentType).associatedData
    }

    /// Opens a segment where it stands and decodes it; what is stored as it is, stays there.
    package func open(_ segment: SealedSegment, _ pack: PackRecord, _ number: Int) throws(PackingError) -> DecodedSegment {
        let place = pack.segments[number]
        let sealed = unsafe segment.bytes
        let damaged = { (reason: String) -> PackingError in .damaged(object: pack.name.path, reason: "segment \(number): \(reason)") }
        guard pack.epoch == sealer.member.epoch else { throw damaged("it is of member epoch \(pack.epoch), whose keys are not open") }
        guard sealed.count > PackLayout.segmentOverheadByteCount else { throw damaged("it is too short") }
        let salt = unsafe Digest(sealed[..<Digest.byteCount])
        let key = try key(of: pack, number, salt: salt)
        // The nonce stands before the ciphertext, over the end of the salt.
        let combined = unsafe UnsafeMutableRawBufferPointer(rebasing: sealed[(Digest.byteCount - AuthenticatedCipher.nonceByteCount)...])
        let padded: UnsafeRawBufferPointer
        do throws(SealingError) {
            unsafe padded = try AuthenticatedCipher.open(combined: combined, key: key, associatedData: pack.kind == .data ? dataAssociatedData : mapAssociatedData)
        } catch { throw damaged("\(error)") }
        let (encodedByteCount, decodedByteCount) = (Int(place.encodedByteCount), Int(place.decodedByteCount))
        guard encodedByteCount <= padded.count else { throw damaged("it is shorter than its directory says") }
        guard unsafe padded[encodedByteCount...].allSatisfy({ $0 == 0 }) else { throw damaged("its padding is not zero") }
        switch place.codec {
        case .raw:
            guard encodedByteCount == decodedByteCount else { throw damaged("it has not the size its directory says") }
            let start = segment.range.lowerBound + Digest.byteCount
            return DecodedSegment(start..<start + decodedByteCount, of: segment.memory)
        case .zstd:
            let frame = unsafe UnsafeRawBufferPointer(rebasing: padded[..<encodedByteCount])
            // RFC 8878, 3.1.1.1.1: bit 2 of the descriptor tells of a checksum, bits 0 and 1 of a dictionary.
            guard frame.count > 4, unsafe frame[4] & 0b111 == 0 else { throw damaged("its frame has a checksum or a dictionary") }
            let memory = buffers.take(decodedByteCount)
            let frameByteCount: Int
            do throws(CompressionError) { frameByteCount = unsafe try decompress(frame, decodedByteCount, into: memory.buffer) } catch { throw damaged("\(error)") }
            guard frameByteCount == frame.count else { throw damaged("its frame is shorter than its directory says") }
            return DecodedSegment(0..<decodedByteCount, of: memory)
        }
    }

    /// What the segment with this salt is sealed under.
    func key(of pack: PackRecord, _ number: Int, salt: Digest) throws(PackingError) -> OneTimeKey {
        SegmentKey.derive(pack.kind, sessionKey: try sessionKey(pack, pack.segments[number]), member: sealer.member, salt: salt)
    }

    /// Returns how long the frame was.
    private func decompress(_ frame: UnsafeRawBufferPointer, _ decodedByteCount: Int, into buffer: AlignedBuffer) throws(CompressionError) -> Int {
        let decompressor = decompressors.withLock { $0.popLast() } ?? SegmentDecompressor()
        defer { decompressors.withLock { $0.append(decompressor) } }
        let target = unsafe UnsafeMutableRawBufferPointer(start: buffer.base, count: buffer.byteCapacity)
        return unsafe try decompressor.decompress(frame, into: target, decodedByteCount: decodedByteCount)
    }

    /// The session key of a data segment, opened once; nil for map segments.
    private func sessionKey(_ pack: PackRecord, _ place: PackRecord.SegmentPlace) throws(PackingError) -> SecretBytes? {
        guard pack.kind == .data else { return nil }
        guard let dataKeys else { throw .noDataKey }
        guard Int(place.keyIndex) < pack.keys.count else { throw .damaged(object: pack.name.path, reason: "it names a key it does not have") }
        let record = pack.keys[Int(place.keyIndex)]
        if let known = sessionKeys.withLock({ $0[record] }) { return known }
        do throws(SealingError) {
            let key = try dataKeys.open(record)
            sessionKeys.withLock { $0[record] = key }
            return key
        } catch { throw .damaged(object: pack.name.path, reason: "its session key cannot be opened: \(error)") }
    }
}
