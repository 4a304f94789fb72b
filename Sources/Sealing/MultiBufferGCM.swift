#if canImport(CIPSecMB)
import CIPSecMB
import Crypto

/// AES-256-GCM with nonce 0 by Intel's multi-buffer library: in place, where swift-crypto copies each message once or twice. One thread's state, from a pool.
@safe
final class MultiBufferGCM: @unchecked Sendable {
    /// None where the processor lacks the instructions, memory was short, or the library computes something else than swift-crypto does: then swift-crypto is used.
    private static let states = CheckedStates<MultiBufferGCM>()

    private let state: OpaquePointer

    private init?() {
        guard let state = unsafe holdfast_gcm_new() else { return nil }
        unsafe self.state = state
    }

    deinit { unsafe holdfast_gcm_free(state) }

    /// Runs `body` with a state; nil if the library cannot be used on this machine.
    static func with<Result>(_ body: (MultiBufferGCM) -> Result) -> Result? {
        guard let cipher = states.take(orMake: { MultiBufferGCM().flatMap { $0.isRight() ? $0 : nil } }) else { return nil }
        defer { states.giveBack(cipher) }
        return body(cipher)
    }

    /// Ciphertext and tag of `plaintext`, which may stand at the beginning of `target`.
    func seal(_ plaintext: UnsafeRawBufferPointer, key: SymmetricKey, associatedData: [UInt8], into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= plaintext.count + AuthenticatedCipher.tagByteCount && key.bitCount == 256, "room for ciphertext and tag")
        unsafe key.withUnsafeBytes { key in
            unsafe holdfast_gcm_seal(
                state, key.bindMemory(to: UInt8.self).baseAddress, associatedData, associatedData.count, plaintext.baseAddress, target.baseAddress, plaintext.count,
                target.baseAddress?.advanced(by: plaintext.count).assumingMemoryBound(to: UInt8.self))
        }
    }

    /// Puts the plaintext in the place of the ciphertext; false if the tag behind it does not fit.
    func open(_ sealed: UnsafeMutableRawBufferPointer, key: SymmetricKey, associatedData: [UInt8]) -> Bool {
        precondition(sealed.count >= AuthenticatedCipher.tagByteCount && key.bitCount == 256, "ciphertext and tag")
        let byteCount = sealed.count - AuthenticatedCipher.tagByteCount
        return unsafe key.withUnsafeBytes { key in
            unsafe holdfast_gcm_open(
                state, key.bindMemory(to: UInt8.self).baseAddress, associatedData, associatedData.count, sealed.baseAddress, byteCount,
                sealed.baseAddress?.advanced(by: byteCount).assumingMemoryBound(to: UInt8.self)) == 0
        }
    }

    /// Puts the plaintext of a part of the ciphertext, which stands `offset` bytes into it, in its place; false if the library refuses. Nothing tells whether it is right.
    ///
    /// - Precondition: `offset` is a multiple of 16.
    func openPart(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int, key: SymmetricKey) -> Bool {
        precondition(offset >= 0 && offset % 16 == 0 && key.bitCount == 256, "whole blocks before it")
        return unsafe key.withUnsafeBytes { key in
            unsafe holdfast_gcm_open_part(state, key.bindMemory(to: UInt8.self).baseAddress, bytes.baseAddress, bytes.count, UInt64(offset)) == 0
        }
    }

    /// Whether it agrees with swift-crypto on messages around the sizes at which its loops change, and refuses a wrong tag.
    private func isRight() -> Bool {
        let key = SymmetricKey(size: .bits256)
        let associatedData: [UInt8] = (0..<37).map { UInt8($0) }
        return [1, 15, 16, 17, 127, 128, 129, 255, 256, 257, 767, 768, 769, 4096, 5000, 20_011].allSatisfy { byteCount in
            let plaintext = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 * 31 + 7) }
            var expected = [UInt8](repeating: 0, count: byteCount + AuthenticatedCipher.tagByteCount)
            var sealed = [UInt8](repeating: 0, count: expected.count)
            unsafe plaintext.withUnsafeBytes { plaintext in
                unsafe expected.withUnsafeMutableBytes { unsafe SwiftCryptoGCM.seal(plaintext, key: key, associatedData: associatedData, into: $0) }
                unsafe sealed.withUnsafeMutableBytes { unsafe seal(plaintext, key: key, associatedData: associatedData, into: $0) }
            }
            guard sealed == expected else { return false }
            let partStart = byteCount / 3 / 16 * 16
            var part = Array(sealed[partStart..<byteCount])
            guard unsafe part.withUnsafeMutableBytes({ unsafe openPart($0, at: partStart, key: key) }), part == Array(plaintext[partStart...]) else { return false }
            var opened = sealed
            guard unsafe opened.withUnsafeMutableBytes({ unsafe open($0, key: key, associatedData: associatedData) }), opened.dropLast(16).elementsEqual(plaintext) else { return false }
            sealed[byteCount / 2] ^= 1
            return unsafe !sealed.withUnsafeMutableBytes { unsafe open($0, key: key, associatedData: associatedData) }
        }
    }
}
#endif
