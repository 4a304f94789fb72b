/// A chunk's first 128 bits and its place: 32 bytes, in memory and in run files.
struct IndexEntry: BitwiseCopyable {
    var low: UInt64
    var high: UInt64
    var location: ChunkLocation

    /// No chunk is empty, so this marks a free place in a table.
    static let free = IndexEntry(low: 0, high: 0, location: ChunkLocation(pack: 0, segment: 0, offset: 0, byteCount: 0))
    var isFree: Bool { location.byteCount == 0 }

    /// The order of run files.
    static func precedes(_ left: IndexEntry, _ right: IndexEntry) -> Bool { (left.low, left.high) < (right.low, right.high) }
}
