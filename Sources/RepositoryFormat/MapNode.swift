public import Bytes

/// A place in the map tree: a uniform kind that covers the whole subtree, or the id of the map chunk below.
public struct MapSlot: Hashable, Sendable {
    public var kind: MapKind
    /// Meaningful for kinds map and node.
    public var id: ChunkID

    public init(kind: MapKind, id: ChunkID) { (self.kind, self.id) = (kind, id) }

    /// - Precondition: `kind` is uniform.
    public static func uniform(_ kind: MapKind) -> MapSlot {
        precondition(kind.isUniform, "a uniform kind names no chunk")
        return MapSlot(kind: kind, id: MapEntry.noChunk)
    }

    /// `{"kind": "node", "id": "…"}`, as the manifest names a map root; the id is missing for a uniform kind.
    var json: JSONValue {
        kind.isUniform ? ["kind": .string(kind.text)] : ["kind": .string(kind.text), "id": .string(id.hexadecimal)]
    }

    /// The root of a tree over `byteCount` bytes: what it may be follows from the depth, and of nothing it is zero.
    init(_ json: JSONValue, byteCount: UInt64) throws(FormatError) {
        let text = try json.string("kind")
        guard let kind = MapKind.allCases.first(where: { $0.text == text }) else { throw .member("kind") }
        let named: MapKind = MapGeometry(byteCount: byteCount).depth == 0 ? .map : .node
        guard kind == .zero || byteCount > 0 && (kind.isUniform || kind == named) else { throw .member("root") }
        self.kind = kind
        id = kind.isUniform ? MapEntry.noChunk : ChunkID(try json.digest("id"))
    }
}

extension MapKind {
    /// The kind's name in JSON and in messages.
    public var text: String {
        switch self {
        case .data: "data"
        case .zero: "zero"
        case .unused: "unused"
        case .excluded: "excluded"
        case .unreadable: "unreadable"
        case .map: "map"
        case .node: "node"
        }
    }
}

/// An inner node of the map tree, stored as a chunk of kind map. Section: Specs/format/map.md.
///
///     offset  size  field
///          0     1  type, 2
///          1     1  level, 1…4; the slots of level 1 are band maps
///          2     2  reserved, 0
///          4     4  slot count n, 1…256
///          8     n  column of kinds
///          …   32i  column of ids, for the i slots of kind map or node
public struct MapNode: Equatable, Sendable {
    public static let type: UInt8 = 2

    public var level: Int
    public var slots: [MapSlot]

    public init(level: Int, slots: [MapSlot]) { (self.level, self.slots) = (level, slots) }

    public var encoded: [UInt8] {
        var writer = ByteWriter(reservingByteCount: 8 + slots.count * 33)
        writer.write([MapNode.type, UInt8(level)])
        writer.write(UInt16(0))
        writer.write(UInt32(slots.count))
        for slot in slots { writer.write(slot.kind.rawValue) }
        for slot in slots where !slot.kind.isUniform { writer.write(slot.id.digest) }
        return writer.bytes
    }

    /// Decodes and checks the level, and that there are exactly `slotCount` slots.
    public init(decoding bytes: [UInt8], level: Int, slotCount: Int) throws(FormatError) {
        self.level = level
        slots = try decodingLayout { () throws(DecodingError) in
            var reader = ByteReader(bytes)
            guard try reader.readUInt8("map type") == MapNode.type else { throw .invalid(field: "map type") }
            guard try reader.readUInt8("map level") == UInt8(level) else { throw .invalid(field: "map level") }
            guard try reader.readUInt16("reserved") == 0 else { throw .invalid(field: "reserved") }
            let count = try reader.readCount(limit: FormatLimits.nodeSlotCount, itemByteCount: 1, "slot count")
            guard count == slotCount else { throw .invalid(field: "slot count") }
            let below: MapKind = level == 1 ? .map : .node
            var slots: [MapSlot] = []
            for byte in try reader.read(byteCount: count, "kinds") {
                guard let kind = MapKind(rawValue: byte), kind.isUniform || kind == below else { throw .invalid(field: "slot kind") }
                slots.append(MapSlot(kind: kind, id: MapEntry.noChunk))
            }
            for index in slots.indices where !slots[index].kind.isUniform { slots[index].id = ChunkID(try reader.readDigest("slot id")) }
            try reader.finish()
            return slots
        }
    }
}

/// How a volume's size determines the shape of its map tree.
public struct MapGeometry: Equatable, Sendable {
    public let byteCount: UInt64
    /// 0: the root is a band map; otherwise the level of the root node.
    public let depth: Int

    /// - Precondition: `byteCount` is within `FormatLimits.volumeByteCountMax`.
    public init(byteCount: UInt64) {
        precondition(byteCount <= FormatLimits.volumeByteCountMax, "within the format's limits")
        self.byteCount = byteCount
        var depth = 0
        while MapGeometry.bandsBelow(level: depth) < MapGeometry.bandCount(byteCount) { depth += 1 }
        self.depth = depth
    }

    /// Number of bands, of which the last may be short.
    public var bandCount: UInt64 { MapGeometry.bandCount(byteCount) }

    /// How many bands a full subtree of that level covers: 256^level.
    public static func bandsBelow(level: Int) -> UInt64 { 1 << UInt64(8 * level) }

    /// Bytes of one band.
    public func bandByteCount(_ band: UInt64) -> Int {
        Int(min(UInt64(FormatLimits.bandByteCount), byteCount - band * UInt64(FormatLimits.bandByteCount)))
    }

    /// How many slots the node of `level` that begins at `firstBand` has.
    public func slotCount(level: Int, firstBand: UInt64) -> Int {
        let bandsPerSlot = MapGeometry.bandsBelow(level: level - 1)
        return Int(min(UInt64(FormatLimits.nodeSlotCount), (bandCount - firstBand + bandsPerSlot - 1) / bandsPerSlot))
    }

    private static func bandCount(_ byteCount: UInt64) -> UInt64 {
        (byteCount + UInt64(FormatLimits.bandByteCount) - 1) / UInt64(FormatLimits.bandByteCount)
    }
}
