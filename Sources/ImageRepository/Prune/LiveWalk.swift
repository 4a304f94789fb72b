import Bytes
import Packing
import RepositoryFormat

/// Goes through every chunk that snapshots reach. Subtrees that several share are gone through once.
struct LiveWalk {
    private struct Key: Hashable {
        var id: ChunkID
        var level: Int
        /// Bytes below: the last band of a volume is shorter than others with the same content would be.
        var byteCount: UInt64
    }

    private let reader: SegmentReader
    private let cancellation: Cancellation
    /// Called for each chunk, data chunks more than once if several bands have them.
    private let use: (ChunkID, PackDirectory.Kind) throws(RepositoryError) -> Void
    private var known: Set<Key> = []

    init(_ reader: SegmentReader, _ cancellation: Cancellation, use: @escaping (ChunkID, PackDirectory.Kind) throws(RepositoryError) -> Void) {
        self.reader = reader
        self.cancellation = cancellation
        self.use = use
    }

    /// - Throws: for anything that cannot be read: what it reaches is not known then.
    mutating func walk(_ manifest: Manifest) throws(RepositoryError) {
        for volume in manifest.images.flatMap(\.volumes) { try walk(volume.root, level: volume.geometry.depth, firstBand: 0, volume.geometry) }
        for attachment in manifest.attachments {
            let geometry = MapGeometry(byteCount: attachment.byteCount)
            try walk(attachment.root, level: geometry.depth, firstBand: 0, geometry)
        }
    }

    private mutating func walk(_ slot: MapSlot, level: Int, firstBand: UInt64, _ geometry: MapGeometry) throws(RepositoryError) {
        guard !slot.kind.isUniform else { return }
        let start = firstBand * UInt64(FormatLimits.bandByteCount)
        let byteCount = min(geometry.byteCount - start, MapGeometry.bandsBelow(level: level) * UInt64(FormatLimits.bandByteCount))
        guard known.insert(Key(id: slot.id, level: level, byteCount: byteCount)).inserted else { return }
        try cancellation.check()
        try use(slot.id, .map)
        let bytes = try packing { () throws(PackingError) in try unsafe reader.withChunk(slot.id, .map) { unsafe Array($0) } }
        if level == 0 {
            let map = try decoding("band map \(slot.id)") { () throws(FormatError) in try BandMap(decoding: bytes, bandByteCount: Int(byteCount)) }
            for entry in map.entries where entry.kind == .data { try use(entry.chunk, .data) }
            return
        }
        let slotCount = geometry.slotCount(level: level, firstBand: firstBand)
        let node = try decoding("map node \(slot.id)") { () throws(FormatError) in try MapNode(decoding: bytes, level: level, slotCount: slotCount) }
        for (position, child) in node.slots.enumerated() {
            try walk(child, level: level - 1, firstBand: firstBand + UInt64(position) * MapGeometry.bandsBelow(level: level - 1), geometry)
        }
    }
}
