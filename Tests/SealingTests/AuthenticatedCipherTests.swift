import Bytes
import Crypto
import Sealing
import Testing

struct AuthenticatedCipherTests {
    /// Around the sizes at which implementations change their loops.
    private static let byteCounts = [0, 1, 15, 16, 17, 255, 256, 257, 4095, 4096, 65_537, 1_048_576 + 13]
    private static let key = secret(Hexadecimal.encode(counting(from: 9)))
    private static let associatedData = counting(from: 100, 37)

    private static func plaintext(_ byteCount: Int) -> [UInt8] { (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 256) } }

    @Test(arguments: byteCounts) func `whatever seals, seals the same, and whatever opens, opens it`(byteCount: Int) throws {
        let plaintext = AuthenticatedCipherTests.plaintext(byteCount)
        let sealed = AuthenticatedCipher.seal(plaintext, key: AuthenticatedCipherTests.key, associatedData: AuthenticatedCipherTests.associatedData)
        let portable = try AES.GCM.seal(
            plaintext, using: AuthenticatedCipherTests.key.symmetric, nonce: AES.GCM.Nonce(data: [UInt8](repeating: 0, count: 12)),
            authenticating: AuthenticatedCipherTests.associatedData)
        #expect(sealed == Array(portable.ciphertext) + Array(portable.tag))
        #expect(try AuthenticatedCipher.open(sealed[...], key: AuthenticatedCipherTests.key, associatedData: AuthenticatedCipherTests.associatedData) == plaintext)
        var combined = [UInt8](repeating: 7, count: AuthenticatedCipher.nonceByteCount) + sealed
        let isOpen = unsafe combined.withUnsafeMutableBytes {
            unsafe SwiftCryptoGCM.open(combined: $0, key: AuthenticatedCipherTests.key.symmetric, associatedData: AuthenticatedCipherTests.associatedData)
        }
        #expect(isOpen)
        #expect(combined.dropFirst(AuthenticatedCipher.nonceByteCount).prefix(byteCount).elementsEqual(plaintext))
    }

    @Test(arguments: byteCounts) func `one wrong bit anywhere is refused`(byteCount: Int) {
        let sealed = AuthenticatedCipher.seal(AuthenticatedCipherTests.plaintext(byteCount), key: AuthenticatedCipherTests.key, associatedData: AuthenticatedCipherTests.associatedData)
        for place in Set([0, byteCount / 2, byteCount, sealed.count - 1]) {
            var wrong = sealed
            wrong[place] ^= 0x10
            #expect(throws: SealingError.notAuthentic) {
                _ = try AuthenticatedCipher.open(wrong[...], key: AuthenticatedCipherTests.key, associatedData: AuthenticatedCipherTests.associatedData)
            }
        }
        #expect(throws: SealingError.notAuthentic) { _ = try AuthenticatedCipher.open(sealed[...], key: AuthenticatedCipherTests.key, associatedData: [1]) }
        #expect(throws: SealingError.notAuthentic) { _ = try AuthenticatedCipher.open(sealed.dropLast(), key: AuthenticatedCipherTests.key, associatedData: AuthenticatedCipherTests.associatedData) }
    }

    @Test func `what is shorter than a tag is refused`() {
        for byteCount in 0..<16 {
            #expect(throws: SealingError.notAuthentic) { _ = try AuthenticatedCipher.open([UInt8](repeating: 0, count: byteCount)[...], key: AuthenticatedCipherTests.key, associatedData: []) }
        }
    }

    @Test(.enabled(if: AuthenticatedCipher.opensParts)) func `parts of a ciphertext open to the same parts of the plaintext`() {
        let plaintext = AuthenticatedCipherTests.plaintext(1_048_576 + 13)
        let sealed = AuthenticatedCipher.seal(plaintext, key: AuthenticatedCipherTests.key, associatedData: AuthenticatedCipherTests.associatedData)
        for range in [0..<1, 0..<16, 16..<17, 4096..<70_001, 1_048_576..<1_048_589, 0..<1_048_589, 983_040..<1_048_589] {
            var part = Array(sealed[range])
            #expect(unsafe part.withUnsafeMutableBytes { unsafe AuthenticatedCipher.openUnauthenticated($0, at: range.lowerBound, key: AuthenticatedCipherTests.key) })
            #expect(part == Array(plaintext[range]), "\(range)")
        }
    }
}
