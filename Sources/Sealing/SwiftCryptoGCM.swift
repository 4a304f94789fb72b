package import Crypto
// This cipher speaks Data; nothing of it leaves this file.
import FoundationEssentials

/// AES-256-GCM with nonce 0 by swift-crypto, on every processor.
package enum SwiftCryptoGCM {
    package static let nonceByteCount = 12
    private static let zeroNonce = [UInt8](repeating: 0, count: nonceByteCount)

    /// - Precondition: `target` has room for the plaintext and a tag, and does not overlap it.
    static func seal(_ plaintext: UnsafeRawBufferPointer, key: SymmetricKey, associatedData: [UInt8], into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= plaintext.count + AuthenticatedCipher.tagByteCount, "room for ciphertext and tag")
        do {
            let nonce = try AES.GCM.Nonce(data: zeroNonce)
            let box = unsafe try AES.GCM.seal(plaintext, using: key, nonce: nonce, authenticating: associatedData)
            guard let combined = box.combined else { preconditionFailure("the nonce has 12 bytes") }
            unsafe combined.withUnsafeBytes { bytes in
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[nonceByteCount...]))
            }
        } catch { preconditionFailure("AES-GCM seals every message of this size: \(error)") }
    }

    /// Opens ciphertext and tag that follow the bytes of a nonce, which this call overwrites, and puts the plaintext in the place of the ciphertext. False if the tag
    /// does not fit.
    package static func open(combined: UnsafeMutableRawBufferPointer, key: SymmetricKey, associatedData: [UInt8]) -> Bool {
        guard let base = combined.baseAddress else { return false }
        for index in 0..<nonceByteCount { unsafe combined[index] = 0 }
        do {
            let data = unsafe Data(bytesNoCopy: base, count: combined.count, deallocator: .none)
            let plaintext = try AES.GCM.open(try AES.GCM.SealedBox(combined: data), using: key, authenticating: associatedData)
            unsafe plaintext.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: combined[nonceByteCount...]).copyMemory(from: $0) }
            return true
        } catch { return false }
    }
}
