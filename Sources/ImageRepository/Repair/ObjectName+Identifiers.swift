import Bytes
import Storage

// Which id a name was made from; nil for names of another kind or shape.
extension ObjectName {
    var condemnedID: RandomID? { kind == .condemned ? RandomID(hexadecimal: leaf) : nil }

    var verdictID: RandomID? {
        let parts = leaf.split(separator: ".", omittingEmptySubsequences: false)
        guard kind == .condemned, parts.count == 2, parts[1] == "verdict" else { return nil }
        return RandomID(hexadecimal: parts[0])
    }

    var sessionID: SessionID? { kind == .sessions ? SessionID(hexadecimal: leaf) : nil }
    var snapshotID: SnapshotID? { kind == .snapshots ? SnapshotID(hexadecimal: leaf) : nil }
    var packID: PackID? { kind.isFannedOut ? Digest(hexadecimal: leaf).map { PackID($0) } : nil }
}
