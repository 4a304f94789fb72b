package import Bytes
import CSodium
import CXXHash
import Crypto
package import RepositoryFormat

/// All keys that derive from the member secret. Section: Specs/format/keys.md, “Hierarchy”.
package final class MemberKeys: Sendable {
    package let epoch: UInt32
    package let chunkerKey: SecretBytes
    package let metadataKey: SecretBytes
    package let mapSegmentKey: SecretBytes
    package let segmentInputKey: SecretBytes
    private let dataChunkKey: HMACKey
    private let mapChunkKey: HMACKey
    private let fingerprintKey: HMACKey
    private let segmentDigestKey: HMACKey
    private let saltKey: HMACKey
    private let fingerprintSecret: SecretBytes
    private let blockSecret: SecretBytes
    private let blocksTagKey: HMACKey

    package static let fingerprintSecretByteCount = 192
    package static let gearTableByteCount = 2048
    private static let saltRandomByteCount = 32

    package init(memberSecret: SecretBytes, epoch: UInt32) {
        func hmacKey(_ number: UInt64) -> HMACKey { HMACKey(Sodium.memberSubkey(number, of: memberSecret)) }
        self.epoch = epoch
        dataChunkKey = hmacKey(1)
        mapChunkKey = hmacKey(2)
        chunkerKey = Sodium.memberSubkey(3, of: memberSecret)
        fingerprintKey = hmacKey(4)
        fingerprintSecret = Sodium.deterministicBytes(
            MemberKeys.fingerprintSecretByteCount, seed: Sodium.memberSubkey(5, of: memberSecret))
        metadataKey = Sodium.memberSubkey(6, of: memberSecret)
        mapSegmentKey = Sodium.memberSubkey(7, of: memberSecret)
        segmentInputKey = Sodium.memberSubkey(8, of: memberSecret)
        saltKey = hmacKey(9)
        segmentDigestKey = hmacKey(10)
        blockSecret = Sodium.deterministicBytes(MemberKeys.fingerprintSecretByteCount, seed: Sodium.memberSubkey(11, of: memberSecret))
        blocksTagKey = hmacKey(12)
    }

    /// The 2048 bytes that the chunker reads as 256 little-endian words.
    package func gearTableBytes() -> [UInt8] {
        unsafe Sodium.deterministicBytes(MemberKeys.gearTableByteCount, seed: chunkerKey).withBytes { unsafe Array($0) }
    }

    /// HMAC-SHA-256 over the whole plaintext of a chunk.
    package func chunkID(_ kind: PackDirectory.Kind, _ plaintext: UnsafeRawBufferPointer) -> ChunkID {
        unsafe ChunkID(chunkKey(kind).code(of: plaintext))
    }

    /// The ids of the chunks in these ranges of `bytes`: two to three times as fast as one after the other, if they are a dozen or more.
    package func chunkIDs(_ kind: PackDirectory.Kind, _ ranges: [Range<Int>], in bytes: UnsafeRawBufferPointer) -> [ChunkID] {
        unsafe chunkKey(kind).codes(of: ranges, in: bytes).map { ChunkID($0) }
    }

    private func chunkKey(_ kind: PackDirectory.Kind) -> HMACKey { kind == .data ? dataChunkKey : mapChunkKey }

    /// 16 bytes that tell whether these bytes are the parent's.
    package func fingerprint(_ bytes: UnsafeRawBufferPointer) -> Fingerprint {
        let code = unsafe keyedHash(bytes, fingerprintKey)
        return Fingerprint(low: code.words.0, high: code.words.1)
    }

    /// 8 bytes that tell whether a block is the one that was backed up; for files of this machine.
    package func blockFingerprint(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        unsafe blockSecret.withBytes { secret in
            unsafe holdfast_xxh3_64_with_secret(bytes.baseAddress, bytes.count, secret.baseAddress!, secret.count)
        }
    }

    /// Authenticates a record of block fingerprints.
    package func blocksTag(_ record: UnsafeRawBufferPointer) -> RandomID {
        let code = unsafe blocksTagKey.code(of: record)
        return RandomID(code)
    }

    /// Lets a sealed segment be checked without its key.
    package func segmentDigest(_ sealed: UnsafeRawBufferPointer) -> RandomID {
        unsafe RandomID(keyedHash(sealed, segmentDigestKey))
    }

    /// A salt that is unlike any other even if the random generator repeats itself.
    package func salt(for content: some Collection<UInt8>) -> Bytes.Digest {
        var message = ByteWriter(reservingByteCount: content.count + MemberKeys.saltRandomByteCount)
        message.write(content)
        return salt(message)
    }

    /// The same for a segment: from the ids of its chunks.
    package func salt(for chunks: [PackDirectory.Chunk]) -> Bytes.Digest {
        var message = ByteWriter(reservingByteCount: chunks.count * Digest.byteCount + MemberKeys.saltRandomByteCount)
        for chunk in chunks { message.write(chunk.id.digest) }
        return salt(message)
    }

    private func salt(_ content: consuming ByteWriter) -> Bytes.Digest {
        content.write(Sodium.randomBytes(MemberKeys.saltRandomByteCount))
        return unsafe content.bytes.withUnsafeBytes { unsafe saltKey.code(of: $0) }
    }

    private func keyedHash(_ bytes: UnsafeRawBufferPointer, _ key: HMACKey) -> Bytes.Digest {
        let hash = unsafe fingerprintSecret.withBytes { secret in
            unsafe holdfast_xxh3_128_with_secret(bytes.baseAddress, bytes.count, secret.baseAddress!, secret.count)
        }
        var message = (hash.low.littleEndian, hash.high.littleEndian, UInt64(bytes.count).littleEndian)
        return unsafe withUnsafeBytes(of: &message) { unsafe key.code(ofShort: $0) }
    }
}

/// SHA-256 of bytes that arrive in pieces: names of packs, digests of objects.
package struct ObjectDigest {
    private var state = SHA256()

    package init() {}

    package mutating func update(_ bytes: UnsafeRawBufferPointer) { unsafe state.update(data: bytes) }

    package consuming func finish() -> Bytes.Digest {
        Digest(Array(state.finalize()))
    }

    package static func of(_ bytes: [UInt8]) -> Bytes.Digest {
        var digest = ObjectDigest()
        unsafe bytes.withUnsafeBytes { unsafe digest.update($0) }
        return digest.finish()
    }
}
