package import Bytes
import CSodium
package import RepositoryFormat

/// The data key of one writing session, with its sealed form for the packs' key tables.
///
/// Drawn for a session and forgotten with it: afterwards only a holder of the data secret key has it.
package struct SessionDataKey: Sendable {
    package let secret: SecretBytes
    package let record: PackDirectory.Key

    /// Draws a key and seals it to the data public key.
    package init(recipient dataPublicKey: [UInt8]) {
        secret = .random(byteCount: 32)
        var sealed = [UInt8](repeating: 0, count: PackDirectory.Key.sealedByteCount)
        unsafe secret.withBytes { key in
            let result = unsafe crypto_box_seal(&sealed, key.baseAddress!.assumingMemoryBound(to: UInt8.self), 32, dataPublicKey)
            precondition(result == 0, "a key can be sealed to every valid public key")
        }
        record = PackDirectory.Key(
            id: SessionKeyID(Sodium.randomID()),
            recipients: [.init(id: DataKeyPair.recipientID(of: dataPublicKey), sealedKey: sealed)])
    }
}

/// The X25519 key pair that data is sealed to.
package struct DataKeyPair: Sendable {
    package let publicKey: [UInt8]
    package let secretKey: SecretBytes

    package init(publicKey: [UInt8], secretKey: SecretBytes) {
        self.publicKey = publicKey
        self.secretKey = secretKey
    }

    package static func random() -> DataKeyPair {
        Sodium.prepare()
        var publicKey = [UInt8](repeating: 0, count: 32)
        let secretKey = unsafe SecretBytes(byteCount: 32) { target in
            _ = unsafe crypto_box_keypair(&publicKey, target.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
        return DataKeyPair(publicKey: publicKey, secretKey: secretKey)
    }

    /// Whether the secret key belongs to the public key.
    package var isConsistent: Bool {
        var derived = [UInt8](repeating: 0, count: 32)
        unsafe secretKey.withBytes { key in
            _ = unsafe crypto_scalarmult_base(&derived, key.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
        return derived == publicKey
    }

    /// How a key table names who can open an entry.
    package static func recipientID(of publicKey: [UInt8]) -> RandomID {
        RandomID(Sodium.publicHash(key: nil, publicKey).prefix(RandomID.byteCount))
    }

    /// The session key of a key table's entry.
    package func open(_ key: PackDirectory.Key) throws(SealingError) -> SecretBytes {
        let id = DataKeyPair.recipientID(of: publicKey)
        guard let recipient = key.recipients.first(where: { $0.id == id }) else { throw .notAuthentic }
        return unsafe try SecretBytes(byteCount: 32) { target throws(SealingError) in
            let result = unsafe secretKey.withBytes { secret in
                unsafe crypto_box_seal_open(
                    target.baseAddress!.assumingMemoryBound(to: UInt8.self), recipient.sealedKey, UInt64(recipient.sealedKey.count), publicKey,
                    secret.baseAddress!.assumingMemoryBound(to: UInt8.self))
            }
            guard result == 0 else { throw .notAuthentic }
        }
    }
}
