package import Crypto

/// AES-256-GCM under keys that are used once, with nonce 0.
package enum AuthenticatedCipher {
    package static let tagByteCount = 16
    /// What `open(combined:)` wants before the ciphertext.
    package static let nonceByteCount = SwiftCryptoGCM.nonceByteCount

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
        let key = key.symmetric
        #if canImport(CIPSecMB)
        if unsafe !plaintext.isEmpty, MultiBufferGCM.with({ unsafe $0.seal(plaintext, key: key, associatedData: associatedData, into: target) }) != nil { return }
        #endif
        unsafe SwiftCryptoGCM.seal(plaintext, key: key, associatedData: associatedData, into: target)
    }

    /// The plaintext of ciphertext and tag, or `.notAuthentic`.
    package static func open(_ sealed: ArraySlice<UInt8>, key: some CipherKey, associatedData: [UInt8]) throws(SealingError) -> [UInt8] {
        var combined = [UInt8](repeating: 0, count: nonceByteCount)
        combined.reserveCapacity(nonceByteCount + sealed.count)
        combined.append(contentsOf: sealed)
        return try unsafe combined.withUnsafeMutableBufferPointer { bytes throws(SealingError) in
            unsafe Array(try open(combined: UnsafeMutableRawBufferPointer(bytes), key: key, associatedData: associatedData))
        }
    }

    /// Opens ciphertext and tag that follow `nonceByteCount` bytes which this call may overwrite: no copy of what may be a megabyte.
    ///
    /// - Returns: the plaintext, in the place of the ciphertext. When this throws, nothing there is to be used.
    package static func open(
        combined: UnsafeMutableRawBufferPointer, key: some CipherKey, associatedData: [UInt8]
    ) throws(SealingError) -> UnsafeRawBufferPointer {
        guard combined.count >= nonceByteCount + tagByteCount else { throw .notAuthentic }
        let plaintext = unsafe UnsafeRawBufferPointer(rebasing: combined[nonceByteCount..<combined.count - tagByteCount])
        let key = key.symmetric
        var isAuthentic: Bool?
        #if canImport(CIPSecMB)
        if unsafe !plaintext.isEmpty {
            isAuthentic = MultiBufferGCM.with { unsafe $0.open(UnsafeMutableRawBufferPointer(rebasing: combined[nonceByteCount...]), key: key, associatedData: associatedData) }
        }
        #endif
        guard unsafe isAuthentic ?? SwiftCryptoGCM.open(combined: combined, key: key, associatedData: associatedData) else { throw .notAuthentic }
        return unsafe plaintext
    }

    /// Decrypts a part of a ciphertext in place. No tag tells whether it is right: only who knows a keyed hash of the plaintext may use it.
    ///
    /// - Parameter offset: how far into the ciphertext the part stands, a multiple of 16.
    /// - Returns: false if nothing here can do that; `bytes` are then not to be used.
    package static func openUnauthenticated(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int, key: some CipherKey) -> Bool {
        #if canImport(CIPSecMB)
        let key = key.symmetric
        return MultiBufferGCM.with { unsafe $0.openPart(bytes, at: offset, key: key) } ?? false
        #else
        return false
        #endif
    }

    /// Whether `openUnauthenticated` can be used on this machine.
    package static let opensParts: Bool = {
        #if canImport(CIPSecMB)
        MultiBufferGCM.with { _ in true } ?? false
        #else
        false
        #endif
    }()
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
