package import Bytes
package import RepositoryFormat

/// Keys that seal one thing each. Section: Specs/format/objects.md, “One-time keys”, and pack.md for data segments.
package enum OneTimeKey {
    private static let domain: [UInt8] = Array("holdfast one-time key".utf8)
    private static let segmentDomain: [UInt8] = Array("holdfast segment key".utf8)

    package static func derive(base: SecretBytes, type: ObjectType, salt: Digest) -> SecretBytes {
        Sodium.hash(key: base, domain + [type.rawValue] + salt.bytes)
    }

    package static func dataSegment(sessionKey: SecretBytes, member: MemberKeys, salt: Digest) -> SecretBytes {
        // The message holds a secret, so it is wiped after use.
        let prefix = segmentDomain + [ObjectType.dataSegment.rawValue]
        var message = unsafe member.segmentInputKey.withBytes { unsafe prefix + Array($0) + salt.bytes }
        defer { message.wipe() }
        return Sodium.hash(key: sessionKey, message)
    }
}
