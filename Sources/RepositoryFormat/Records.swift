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

/// A registered writer or maintainer, `sessions/<id>`. Section: Specs/format/records.md.
public struct SessionRecord: Equatable, Sendable {
    /// "backup", "reader", "prune" and others.
    public var kind: String
    public var host: String
    /// From /etc/machine-id; empty if there is none.
    public var machineID: String
    public var processID: UInt64
    public var startTime: String
    public var tool: String

    public init(kind: String, host: String, machineID: String, processID: UInt64, startTime: String, tool: String) {
        self.kind = kind
        self.host = host
        self.machineID = machineID
        self.processID = processID
        self.startTime = startTime
        self.tool = tool
    }

    public var body: [UInt8] {
        let json: JSONValue = [
            "kind": .string(kind), "host": .string(host), "machine_id": .string(machineID), "process_id": .count(processID), "start_time": .string(startTime),
            "tool": .string(tool),
        ]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        kind = try json.string("kind")
        host = try json.string("host")
        machineID = try json.string("machine_id")
        processID = try json.count("process_id", limit: UInt64(Int64.max))
        startTime = try json.string("start_time")
        tool = try json.string("tool")
    }
}

/// A sign of life of a session, `sessions/<id>.<n>`. Section: Specs/format/records.md.
public struct Heartbeat: Equatable, Sendable {
    public var session: SessionID
    public var number: UInt64
    /// RFC 3339, UTC.
    public var time: String

    public init(session: SessionID, number: UInt64, time: String) {
        self.session = session
        self.number = number
        self.time = time
    }

    public var body: [UInt8] {
        let json: JSONValue = ["session_id": .string(session.hexadecimal), "number": .count(number), "time": .string(time)]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        session = SessionID(try json.randomID("session_id"))
        number = try json.count("number", limit: UInt64(Int64.max))
        time = try json.string("time")
    }
}

/// Packs that writers must no longer count on, `condemned/<id>`. Section: Specs/format/records.md.
public struct CondemnedList: Equatable, Sendable {
    public enum Kind: String, Sendable {
        /// They are to be deleted.
        case prune
        /// They were found damaged, and stay.
        case damaged
    }

    /// More go on several lists: one that is larger than readers accept could never be carried out, nor taken away. These take some 17 MiB.
    public static let packCountMax = 1 << 18

    public var kind: Kind
    public var dataPacks: [PackID]
    public var mapPacks: [PackID]

    public init(kind: Kind, dataPacks: [PackID], mapPacks: [PackID]) {
        self.kind = kind
        self.dataPacks = dataPacks
        self.mapPacks = mapPacks
    }

    public var body: [UInt8] {
        let json: JSONValue = [
            "kind": .string(kind.rawValue), "packs": .strings(dataPacks.map(\.hexadecimal)), "maps": .strings(mapPacks.map(\.hexadecimal)),
        ]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        guard let kind = Kind(rawValue: try json.string("kind")) else { throw .member("kind") }
        self.kind = kind
        dataPacks = try CondemnedList.packs(json, "packs")
        mapPacks = try CondemnedList.packs(json, "maps")
    }

    /// The same packs, at most so many a list.
    public func parts(packCountMax: Int = CondemnedList.packCountMax) -> [CondemnedList] {
        func parts(_ packs: [PackID]) -> [[PackID]] {
            stride(from: 0, to: packs.count, by: packCountMax).map { Array(packs[$0..<min($0 + packCountMax, packs.count)]) }
        }
        if dataPacks.count + mapPacks.count <= packCountMax { return [self] }
        return parts(dataPacks).map { CondemnedList(kind: kind, dataPacks: $0, mapPacks: []) }
            + parts(mapPacks).map { CondemnedList(kind: kind, dataPacks: [], mapPacks: $0) }
    }

    fileprivate static func packs(_ json: JSONValue, _ name: String) throws(FormatError) -> [PackID] {
        var packs: [PackID] = []
        for text in try json.strings(name, limit: 1 << 20) {
            guard let digest = Digest(hexadecimal: text) else { throw .member(name) }
            packs.append(PackID(digest))
        }
        return packs
    }
}

/// What was decided about a condemned list, `condemned/<id>.verdict`: the packs on it that are not deleted. Section: Specs/format/records.md.
public struct Verdict: Equatable, Sendable {
    public var sparedDataPacks: [PackID]
    public var sparedMapPacks: [PackID]
    /// The list could not be read when this was decided, so every pack that was there is spared.
    public var sparesAll: Bool

    public init(sparedDataPacks: [PackID], sparedMapPacks: [PackID], sparesAll: Bool = false) {
        self.sparedDataPacks = sparedDataPacks
        self.sparedMapPacks = sparedMapPacks
        self.sparesAll = sparesAll
    }

    public var body: [UInt8] {
        var members = [
            JSONValue.Member("packs", .strings(sparedDataPacks.map(\.hexadecimal))), JSONValue.Member("maps", .strings(sparedMapPacks.map(\.hexadecimal))),
        ]
        if sparesAll { members.append(JSONValue.Member("all", true)) }
        return JSONValue.object(members).encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        sparedDataPacks = try CondemnedList.packs(json, "packs")
        sparedMapPacks = try CondemnedList.packs(json, "maps")
        sparesAll = json["all"] == .bool(true)
    }
}

/// Which sessions ran when a condemned list was durable, `condemned/<id>.sessions`: whoever came later has read the list. Section: Specs/format/records.md.
public struct AwaitedSessions: Equatable, Sendable {
    public var sessions: [SessionID]

    public init(sessions: [SessionID]) { self.sessions = sessions }

    public var body: [UInt8] {
        let json: JSONValue = ["sessions": .strings(sessions.map(\.hexadecimal))]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        sessions = []
        for text in try JSONValue(parsing: body).strings("sessions", limit: 1 << 20) {
            guard let id = SessionID(hexadecimal: text) else { throw .member("sessions") }
            sessions.append(id)
        }
    }
}

/// Takes the slot `snapshots/<session id>` of a session that a maintainer ended. Section: Specs/format/records.md.
public struct AbortRecord: Equatable, Sendable {
    public var session: SessionID
    public var reason: String
    public var time: String

    public init(session: SessionID, reason: String, time: String) { (self.session, self.reason, self.time) = (session, reason, time) }

    public var body: [UInt8] {
        let json: JSONValue = ["session_id": .string(session.hexadecimal), "reason": .string(reason), "time": .string(time)]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        session = SessionID(try json.randomID("session_id"))
        reason = try json.string("reason")
        time = try json.string("time")
    }
}
