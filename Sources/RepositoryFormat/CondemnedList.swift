public import Bytes

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
