public import Bytes

/// A registered writer or maintainer, `sessions/<id>`. Section: Specs/format/records.md.
public struct SessionRecord: Equatable, Sendable {
    /// "backup", "reader", "prune" and others.
    public var kind: String
    public var host: String
    /// From /etc/machine-id; empty if there is none.
    public var machineID: String
    /// Within which `processID` means one process for ever; empty if that is not known.
    public var processSpace: String
    public var processID: UInt64
    public var startTime: String
    public var tool: String

    public init(kind: String, host: String, machineID: String, processSpace: String, processID: UInt64, startTime: String, tool: String) {
        self.kind = kind
        self.host = host
        self.machineID = machineID
        self.processSpace = processSpace
        self.processID = processID
        self.startTime = startTime
        self.tool = tool
    }

    public var body: [UInt8] {
        let json: JSONValue = [
            "kind": .string(kind), "host": .string(host), "machine_id": .string(machineID), "process_space": .string(processSpace), "process_id": .count(processID),
            "start_time": .string(startTime), "tool": .string(tool),
        ]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        kind = try json.string("kind")
        host = try json.string("host")
        machineID = try json.string("machine_id")
        processSpace = try json.string("process_space")
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
