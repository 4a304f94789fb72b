import Bytes
import Packing
import RepositoryFormat

/// A chunk that a snapshot reaches, and where it belongs there.
struct ChunkUse {
    var id: ChunkID
    var kind: PackDirectory.Kind
    /// Of a map chunk: the first that it covers.
    var band: UInt64
    /// Within the band.
    var offset = 0
}

/// Goes through every chunk that snapshots reach, in the order of their images. Subtrees that several share are gone through once, unless asked for again.
struct LiveWalk {
    struct Subtree: Hashable {
        var id: ChunkID
        var level: Int
        /// Bytes below: the last band of a volume is shorter than others with the same content would be.
        var byteCount: UInt64
    }

    private let reader: SegmentReader
    private let cancellation: Cancellation
    /// Called for each chunk, data chunks more than once if several bands have them.
    private let use: (ChunkUse) throws(RepositoryError) -> Void
    private let enters: ((Subtree) -> Bool)?
    private var known: Set<Subtree> = []

    /// - Parameter enters: whether to go through a subtree; nil for each once.
    init(_ reader: SegmentReader, _ cancellation: Cancellation, enters: ((Subtree) -> Bool)? = nil, use: @escaping (ChunkUse) throws(RepositoryError) -> Void) {
        self.reader = reader
        self.cancellation = cancellation
        self.enters = enters
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
        let subtree = Subtree(id: slot.id, level: level, byteCount: byteCount)
        guard enters?(subtree) ?? known.insert(subtree).inserted else { return }
        try cancellation.check()
        try use(ChunkUse(id: slot.id, kind: .map, band: firstBand))
        let bytes = try packing { () throws(PackingError) in try unsafe reader.withChunk(slot.id, .map) { unsafe Array($0) } }
        if level == 0 {
            let map = try decoding("band map \(slot.id)") { () throws(FormatError) in try BandMap(decoding: bytes, bandByteCount: Int(byteCount)) }
            var offset = 0
            for entry in map.entries {
                if entry.kind == .data { try use(ChunkUse(id: entry.chunk, kind: .data, band: firstBand, offset: offset)) }
                offset += Int(entry.byteCount)
            }
            return
        }
        let slotCount = geometry.slotCount(level: level, firstBand: firstBand)
        let node = try decoding("map node \(slot.id)") { () throws(FormatError) in try MapNode(decoding: bytes, level: level, slotCount: slotCount) }
        for (position, child) in node.slots.enumerated() {
            try walk(child, level: level - 1, firstBand: firstBand + UInt64(position) * MapGeometry.bandsBelow(level: level - 1), geometry)
        }
    }
}
