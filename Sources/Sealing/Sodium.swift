package import Bytes
import CSodium

/// libsodium, started once.
package enum Sodium {
    private static let isReady: Bool = sodium_init() >= 0

    package static func prepare() { precondition(isReady, "libsodium cannot be started on this machine") }

    /// Random bytes that are not secret: ids and salts.
    package static func randomBytes(_ byteCount: Int) -> [UInt8] {
        prepare()
        return unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            unsafe randombytes_buf(buffer.baseAddress!, byteCount)
            count = byteCount
        }
    }

    package static func randomID() -> RandomID { RandomID(randomBytes(RandomID.byteCount)) }

    /// BLAKE2b-256 of `message` under `key`, as `crypto_generichash`; without a key if that is nil.
    package static func hash(key: SecretBytes?, _ message: [UInt8]) -> SecretBytes {
        unsafe SecretBytes(byteCount: 32) { unsafe hash(key: key, message, into: $0) }
    }

    /// The same where the result is not secret.
    package static func publicHash(key: SecretBytes?, _ message: [UInt8]) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            unsafe hash(key: key, message, into: UnsafeMutableRawBufferPointer(buffer))
            count = 32
        }
    }

    private static func hash(key: SecretBytes?, _ message: [UInt8], into target: UnsafeMutableRawBufferPointer) {
        prepare()
        let output = unsafe target.baseAddress!.assumingMemoryBound(to: UInt8.self)
        let result =
            if let key {
                unsafe key.withBytes { key in
                    unsafe crypto_generichash(output, 32, message, UInt64(message.count), key.baseAddress!.assumingMemoryBound(to: UInt8.self), key.count)
                }
            } else {
                unsafe crypto_generichash(output, 32, message, UInt64(message.count), nil, 0)
            }
        precondition(result == 0, "BLAKE2b takes every message")
    }

    /// A subkey of the member secret, as `crypto_kdf_derive_from_key` with context "hfmember".
    package static func memberSubkey(_ number: UInt64, of memberSecret: SecretBytes) -> SecretBytes {
        unsafe SecretBytes(byteCount: 32) { target in
            unsafe memberSecret.withBytes { secret in
                let result = unsafe crypto_kdf_derive_from_key(
                    target.baseAddress!.assumingMemoryBound(to: UInt8.self), 32, number, "hfmember",
                    secret.baseAddress!.assumingMemoryBound(to: UInt8.self))
                precondition(result == 0, "the byte counts are legal")
            }
        }
    }

    /// `randombytes_buf_deterministic`: the same bytes for the same seed, for ever.
    package static func deterministicBytes(_ byteCount: Int, seed: SecretBytes) -> SecretBytes {
        precondition(seed.byteCount == 32, "a seed has 32 bytes")
        return unsafe SecretBytes(byteCount: byteCount) { target in
            unsafe seed.withBytes { seed in
                unsafe randombytes_buf_deterministic(target.baseAddress!, target.count, seed.baseAddress!.assumingMemoryBound(to: UInt8.self))
            }
        }
    }
}
