import Bytes
import Storage

// Which id or number a name was made from; nil for names of another kind or shape, which are no object's.
extension ObjectName {
    /// Numbers in names have at most so many digits, and no leading zeros.
    private static let digitCountMax = 18

    var keyringNumber: UInt64? { kind == .keyring ? ObjectName.number(leaf) : nil }

    var markPlace: (snapshot: SnapshotID, number: UInt64)? {
        kind == .marks ? numbered.map { (SnapshotID($0.id), $0.number) } : nil
    }

    var heartbeatPlace: (session: SessionID, number: UInt64)? {
        kind == .sessions ? numbered.map { (SessionID($0.id), $0.number) } : nil
    }

    private var numbered: (id: RandomID, number: UInt64)? {
        let parts = leaf.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let id = RandomID(hexadecimal: parts[0]), let number = ObjectName.number(parts[1]) else { return nil }
        return (id, number)
    }

    private static func number(_ text: some StringProtocol) -> UInt64? {
        guard text.utf8.count <= digitCountMax, let number = UInt64(text), String(number) == text else { return nil }
        return number
    }

    var condemnedID: RandomID? { kind == .condemned ? RandomID(hexadecimal: leaf) : nil }

    var verdictID: RandomID? { condemnedID(before: ".verdict") }
    /// Of the list whose sessions are awaited.
    var awaitingID: RandomID? { condemnedID(before: ".sessions") }

    private func condemnedID(before suffix: String) -> RandomID? {
        kind == .condemned && leaf.hasSuffix(suffix) ? RandomID(hexadecimal: leaf.dropLast(suffix.count)) : nil
    }

    var sessionID: SessionID? { kind == .sessions ? SessionID(hexadecimal: leaf) : nil }
    var snapshotID: SnapshotID? { kind == .snapshots ? SnapshotID(hexadecimal: leaf) : nil }
    var indexID: IndexID? { kind == .index ? Digest(hexadecimal: leaf).map { IndexID($0) } : nil }
    var packID: PackID? { kind.isFannedOut ? Digest(hexadecimal: leaf).map { PackID($0) } : nil }

    /// Whether the format has objects of such a name. Others are ignored, and never deleted.
    var isKnown: Bool {
        switch kind {
        case .keyring: keyringNumber != nil
        case .keys: RandomID(hexadecimal: leaf) != nil
        case .index: indexID != nil
        case .snapshots: snapshotID != nil
        case .marks: markPlace != nil
        case .sessions: sessionID != nil || heartbeatPlace != nil
        case .condemned: condemnedID != nil || verdictID != nil || awaitingID != nil
        case .config, .packs, .maps, .verified, .quarantine: true
        }
    }
}
