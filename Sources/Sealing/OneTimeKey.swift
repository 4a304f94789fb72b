package import Bytes
package import Crypto
package import RepositoryFormat

/// A key that seals one thing. Section: Specs/format/objects.md, “One-time keys”, and pack.md for data segments.
///
/// Wiped when it is released. Not in locked memory like the keys it derives from: it lives for one call, and a dozen system calls a segment would cost
/// more than sealing it.
package struct OneTimeKey: Sendable {
    private static let domain: [UInt8] = Array("holdfast one-time key".utf8)
    private static let segmentDomain: [UInt8] = Array("holdfast segment key".utf8)

    package let symmetric: SymmetricKey

    private init(key: SecretBytes, _ message: [UInt8]) {
        var hash = Sodium.publicHash(key: key, message)
        defer { hash.wipe() }
        symmetric = SymmetricKey(data: hash)
    }

    /// For known answers.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe symmetric.withUnsafeBytes { unsafe body($0) }
    }

    package static func derive(base: SecretBytes, type: ObjectType, salt: Bytes.Digest) -> OneTimeKey {
        OneTimeKey(key: base, domain + [type.rawValue] + salt.bytes)
    }

    package static func dataSegment(sessionKey: SecretBytes, member: MemberKeys, salt: Bytes.Digest) -> OneTimeKey {
        // The message holds a secret, so it is wiped after use; it never grows, which would leave a copy behind.
        var message: [UInt8] = []
        message.reserveCapacity(segmentDomain.count + 1 + member.segmentInputKey.byteCount + Digest.byteCount)
        defer { message.wipe() }
        message += segmentDomain
        message.append(ObjectType.dataSegment.rawValue)
        unsafe member.segmentInputKey.withBytes { unsafe message.append(contentsOf: $0) }
        message += salt.bytes
        return OneTimeKey(key: sessionKey, message)
    }
}
