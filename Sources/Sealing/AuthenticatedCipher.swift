package import Crypto
// The cipher of swift-crypto speaks Data; nothing of it leaves this file.
import FoundationEssentials

/// AES-256-GCM under keys that are used once, with nonce 0.
package enum AuthenticatedCipher {
    package static let tagByteCount = 16
    private static let nonceByteCount = 12
    private static let zeroNonce = [UInt8](repeating: 0, count: nonceByteCount)

    /// Ciphertext and tag of `plaintext`.
    package static func seal(_ plaintext: some Collection<UInt8>, key: some CipherKey, associatedData: [UInt8]) -> [UInt8] {
        let plaintext = Array(plaintext)
        return unsafe plaintext.withUnsafeBytes { bytes in
            unsafe [UInt8](unsafeUninitializedCapacity: bytes.count + tagByteCount) { buffer, count in
                unsafe seal(bytes, key: key, associatedData: associatedData, into: UnsafeMutableRawBufferPointer(buffer))
                count = bytes.count + tagByteCount
            }
        }
    }

    /// The same into memory of the caller, which has room for the plaintext and a tag. May not overlap.
    package static func seal(
        _ plaintext: UnsafeRawBufferPointer, key: some CipherKey, associatedData: [UInt8], into target: UnsafeMutableRawBufferPointer
    ) {
        precondition(target.count >= plaintext.count + tagByteCount, "room for ciphertext and tag")
        do {
            let nonce = try AES.GCM.Nonce(data: zeroNonce)
            let box = unsafe try AES.GCM.seal(plaintext, using: key.symmetric, nonce: nonce, authenticating: associatedData)
            guard let combined = box.combined else { preconditionFailure("the nonce has 12 bytes") }
            unsafe combined.withUnsafeBytes { bytes in
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[nonceByteCount...]))
            }
        } catch { preconditionFailure("AES-GCM seals every message of this size: \(error)") }
    }

    /// The plaintext of ciphertext and tag, or `.notAuthentic`.
    package static func open(_ sealed: ArraySlice<UInt8>, key: some CipherKey, associatedData: [UInt8]) throws(SealingError) -> [UInt8] {
        guard sealed.count >= tagByteCount else { throw .notAuthentic }
        var combined = zeroNonce
        combined.reserveCapacity(nonceByteCount + sealed.count)
        combined.append(contentsOf: sealed)
        return unsafe try combined.withUnsafeMutableBufferPointer { bytes throws(SealingError) in
            unsafe try open(combined: UnsafeMutableRawBufferPointer(bytes), key: key, associatedData: associatedData) { unsafe Array($0) }
        }
    }

    /// Opens ciphertext and tag that follow 12 bytes which this call overwrites: no copy of what may be a megabyte.
    package static func open<Result>(
        combined: UnsafeMutableRawBufferPointer, key: some CipherKey, associatedData: [UInt8], _ use: (UnsafeRawBufferPointer) -> Result
    ) throws(SealingError) -> Result {
        guard combined.count >= nonceByteCount + tagByteCount, let base = combined.baseAddress else { throw .notAuthentic }
        for index in 0..<nonceByteCount { unsafe combined[index] = 0 }
        do {
            let data = unsafe Data(bytesNoCopy: base, count: combined.count, deallocator: .none)
            let box = try AES.GCM.SealedBox(combined: data)
            let plaintext = try AES.GCM.open(box, using: key.symmetric, authenticating: associatedData)
            return unsafe plaintext.withUnsafeBytes { unsafe use($0) }
        } catch { throw .notAuthentic }
    }
}

/// What the cipher takes as a key.
package protocol CipherKey {
    var symmetric: SymmetricKey { get }
}

extension OneTimeKey: CipherKey {}

extension SecretBytes: CipherKey {
    package var symmetric: SymmetricKey {
        precondition(byteCount == 32, "AES-256 has keys of 32 bytes")
        return unsafe withBytes { unsafe SymmetricKey(data: $0) }
    }
}
