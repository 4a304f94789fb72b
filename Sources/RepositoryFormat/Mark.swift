public import Bytes

/// One step in the life of a snapshot, `marks/<snapshot id>.<n>`. Section: Specs/format/records.md.
///
/// Marks form a chain, n = 0, 1, 2 …; creating the next n if it is absent settles every race.
public struct Mark: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case forget
        case undelete
        case protect
        case unprotect
        /// For ever: the snapshot is no root any more.
        case final
    }

    public var kind: Kind
    public var snapshot: SnapshotID
    public var number: UInt64
    /// RFC 3339, UTC.
    public var time: String

    public init(kind: Kind, snapshot: SnapshotID, number: UInt64, time: String) {
        self.kind = kind
        self.snapshot = snapshot
        self.number = number
        self.time = time
    }

    public var body: [UInt8] {
        let json: JSONValue = [
            "kind": .string(kind.rawValue), "snapshot_id": .string(snapshot.hexadecimal), "number": .count(number), "time": .string(time),
        ]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        guard let kind = Kind(rawValue: try json.string("kind")) else { throw .member("kind") }
        self.kind = kind
        snapshot = SnapshotID(try json.randomID("snapshot_id"))
        number = try json.count("number", limit: UInt64(Int64.max))
        time = try json.string("time")
    }
}
