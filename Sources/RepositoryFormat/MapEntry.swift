public import Bytes

/// What a range of a volume is. The byte stands in band maps and in the slots of the map tree.
public enum MapKind: UInt8, CaseIterable, Sendable {
    case data = 1
    case zero = 2
    /// Not in use by the file system; a restore may leave what was there.
    case unused = 3
    /// In use, and left out on request.
    case excluded = 4
    /// The source could not deliver it.
    case unreadable = 5
    /// A band map stands below (in a slot of the map tree only).
    case map = 6
    /// A node stands below (in a slot of the map tree only).
    case node = 7

    /// Kinds that say everything about a range without naming a chunk.
    public var isUniform: Bool {
        switch self {
        case .zero, .unused, .excluded, .unreadable: true
        case .data, .map, .node: false
        }
    }
}

/// 16 bytes that say whether a range is unchanged since the parent, and nothing else.
public struct Fingerprint: Hashable, Sendable, BitwiseCopyable {
    public static let byteCount = 16
    package let low: UInt64
    package let high: UInt64

    package init(low: UInt64, high: UInt64) { (self.low, self.high) = (low, high) }

    package init(_ id: RandomID) { (low, high) = (id.low, id.high) }
}

/// One range of a band.
public struct MapEntry: Equatable, Sendable {
    public var kind: MapKind
    /// Bytes of the band that the entry covers; never 0.
    public var byteCount: UInt32
    /// The rest is meaningful for kind data only.
    public var chunk: ChunkID
    public var fingerprint: Fingerprint
    /// Where in the chunk's plaintext the range begins.
    public var chunkOffset: UInt32

    public static let noChunk = ChunkID(ObjectHeader.noSalt)

    public init(kind: MapKind, byteCount: UInt32) {
        self.init(kind: kind, byteCount: byteCount, chunk: MapEntry.noChunk, fingerprint: Fingerprint(low: 0, high: 0), chunkOffset: 0)
    }

    public init(kind: MapKind, byteCount: UInt32, chunk: ChunkID, fingerprint: Fingerprint, chunkOffset: UInt32) {
        self.kind = kind
        self.byteCount = byteCount
        self.chunk = chunk
        self.fingerprint = fingerprint
        self.chunkOffset = chunkOffset
    }
}
