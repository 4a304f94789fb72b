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
    /// By the whole entry of the key table: an id alone is not authentic before its key is.
    private let sessionKeys = Monitor<[PackDirectory.Key: SecretBytes]>([:])
    /// Those that no thread uses at the moment.
    private let decompressors = Monitor<[SegmentDecompressor]>([])
    private let buffers = SegmentBuffers()

    /// - Parameter dataKeys: nil for a role that cannot read data.
    package init(_ sealer: DocumentSealer, _ dataKeys: DataKeyPair?) {
        self.sealer = sealer
        self.dataKeys = dataKeys
    }

    /// Opens and decodes the sealed bytes of one segment; they are overwritten.
    package func open(_ sealed: UnsafeMutableRawBufferPointer, _ pack: PackRecord, _ number: Int) throws(PackingError) -> DecodedSegment {
        let place = pack.segments[number]
        let damaged = { (reason: String) -> PackingError in .damaged(object: pack.name.path, reason: "segment \(number): \(reason)") }
        guard pack.epoch == sealer.member.epoch else { throw damaged("it is of member epoch \(pack.epoch), whose keys are not open") }
        guard sealed.count > PackLayout.segmentOverheadByteCount else { throw damaged("it is too short") }
        let salt = unsafe Digest(sealed[..<Digest.byteCount])
        let key = SegmentKey.derive(pack.kind, sessionKey: try sessionKey(pack, place), member: sealer.member, salt: salt)
        let associatedData = sealer.keyspaceBinding(pack.kind.segmentType).associatedData
        let decodedByteCount = Int(place.decodedByteCount)
        // The nonce of 12 zeros stands before the ciphertext, over the end of the salt.
        let combined = unsafe UnsafeMutableRawBufferPointer(rebasing: sealed[(Digest.byteCount - 12)...])
        let outcome: Result<DecodedSegment, PackingError>
        do throws(SealingError) {
            outcome = unsafe try AuthenticatedCipher.open(combined: combined, key: key, associatedData: associatedData) { encoded in
                unsafe decode(encoded, place, decodedByteCount, damaged)
            }
        } catch { throw damaged("\(error)") }
        return try outcome.get()
    }

    private func decode(
        _ encoded: UnsafeRawBufferPointer, _ place: PackRecord.SegmentPlace, _ decodedByteCount: Int, _ damaged: (String) -> PackingError
    ) -> Result<DecodedSegment, PackingError> {
        guard Int(place.encodedByteCount) <= encoded.count else { return .failure(damaged("it is shorter than its directory says")) }
        let segment = DecodedSegment(byteCount: decodedByteCount, from: buffers)
        let target = segment.bytes
        let source = unsafe UnsafeRawBufferPointer(rebasing: encoded[..<Int(place.encodedByteCount)])
        guard unsafe encoded[Int(place.encodedByteCount)...].allSatisfy({ $0 == 0 }) else { return .failure(damaged("its padding is not zero")) }
        switch place.codec {
        case .raw:
            guard source.count == decodedByteCount else { return .failure(damaged("it has not the size its directory says")) }
            unsafe target.copy(source, at: 0)
        case .zstd:
            // RFC 8878, 3.1.1.1.1: bit 2 of the descriptor tells of a checksum, bits 0 and 1 of a dictionary.
            guard source.count > 4, unsafe source[4] & 0b111 == 0 else { return .failure(damaged("its frame has a checksum or a dictionary")) }
            let decompressor = decompressors.withLock { $0.popLast() } ?? SegmentDecompressor()
            defer { decompressors.withLock { $0.append(decompressor) } }
            do throws(CompressionError) {
                let frameByteCount = unsafe try decompressor.decompress(
                    source, into: UnsafeMutableRawBufferPointer(start: target.base, count: target.byteCapacity), decodedByteCount: decodedByteCount)
                guard frameByteCount == source.count else { return .failure(damaged("its frame is shorter than its directory says")) }
            } catch { return .failure(damaged("\(error)")) }
        }
        return .success(segment)
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
