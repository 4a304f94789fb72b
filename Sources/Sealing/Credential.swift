package import Bytes
import CLinux
import CSodium
package import RepositoryFormat

/// What a person or a machine opens a repository with.
public enum Credential: Sendable {
    case password(SecretBytes)
    case keyFile(KeyFile)
}

/// Cost of deriving a key from a password.
public struct PasswordCost: Equatable, Sendable {
    public var operations: UInt32
    /// Memory.
    public var byteCount: UInt64

    /// About half a second and 256 MiB: libsodium's “moderate”, and the least that the format allows.
    public static let moderate = PasswordCost(operations: 3, byteCount: 256 << 20)
    /// About three seconds and 1 GiB.
    public static let sensitive = PasswordCost(operations: 4, byteCount: 1 << 30)

    public init(operations: UInt32, byteCount: UInt64) { (self.operations, self.byteCount) = (operations, byteCount) }
}

extension Credential {
    /// Whether a slot with that derivation could be this credential's.
    package func fits(_ derivation: KeySlot.Derivation) -> Bool {
        switch (self, derivation) {
        case (.password, .password), (.keyFile, .keyFile): true
        default: false
        }
    }

    /// The secret S of Specs/format/keys.md. Takes as long as the slot's parameters demand.
    ///
    /// - Throws: `.outOfMemory`; bounds of the parameters were checked when the slot was decoded.
    package func stretch(_ derivation: KeySlot.Derivation, salt: RandomID) throws(SealingError) -> SecretBytes {
        switch (self, derivation) {
        case (.keyFile(let file), .keyFile): return file.secret
        case (.password(let password), .password(let operations, let byteCount)):
            // The kernel promises more memory than it has, and ends whoever takes it.
            guard holdfast_available_memory() >= byteCount else { throw .outOfMemory(byteCount: byteCount) }
            let salt = salt.bytes
            return unsafe try SecretBytes(byteCount: 32) { target throws(SealingError) in
                let result = unsafe password.withBytes { password in
                    unsafe crypto_pwhash(
                        target.baseAddress!.assumingMemoryBound(to: UInt8.self), 32, password.baseAddress!.assumingMemoryBound(to: CChar.self),
                        UInt64(password.count), salt, UInt64(operations), Int(byteCount), crypto_pwhash_ALG_ARGON2ID13)
                }
                guard result == 0 else { throw .outOfMemory(byteCount: byteCount) }
            }
        default: throw .wrongPassword
        }
    }
}
