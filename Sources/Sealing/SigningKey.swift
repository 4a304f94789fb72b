import CSodium

/// An Ed25519 key pair that signs.
package final class SigningKey: Sendable {
    package let publicKey: [UInt8]
    package let seed: SecretBytes
    private let secretKey: SecretBytes

    /// - Parameter seed: 32 bytes.
    package init(seed: SecretBytes) {
        precondition(seed.byteCount == 32, "an Ed25519 seed has 32 bytes")
        var publicKey = [UInt8](repeating: 0, count: 32)
        secretKey = unsafe SecretBytes(byteCount: 64) { target in
            unsafe seed.withBytes { seed in
                _ = unsafe crypto_sign_seed_keypair(
                    &publicKey, target.baseAddress!.assumingMemoryBound(to: UInt8.self), seed.baseAddress!.assumingMemoryBound(to: UInt8.self))
            }
        }
        self.publicKey = publicKey
        self.seed = seed
    }

    package static func random() -> SigningKey { SigningKey(seed: .random(byteCount: 32)) }

    package func sign(_ message: [UInt8]) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 64)
        unsafe secretKey.withBytes { key in
            _ = unsafe crypto_sign_detached(&signature, nil, message, UInt64(message.count), key.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
        return signature
    }

    package static func verify(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
        Sodium.prepare()
        guard signature.count == 64, publicKey.count == 32 else { return false }
        return unsafe crypto_sign_verify_detached(signature, message, UInt64(message.count), publicKey) == 0
    }
}
