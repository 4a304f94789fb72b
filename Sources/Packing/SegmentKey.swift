import Bytes
import RepositoryFormat
import Sealing

/// The key of a segment, by its kind. Section: Specs/format/pack.md.
enum SegmentKey {
    /// - Precondition: a data segment has a session key.
    static func derive(_ kind: PackDirectory.Kind, sessionKey: SecretBytes?, member: MemberKeys, salt: Digest) -> OneTimeKey {
        switch kind {
        case .map: return OneTimeKey.derive(base: member.mapSegmentKey, type: kind.segmentType, salt: salt)
        case .data:
            guard let sessionKey else { preconditionFailure("a data segment has a session key") }
            return OneTimeKey.dataSegment(sessionKey: sessionKey, member: member, salt: salt)
        }
    }
}
