import Bytes
import Packing
import RepositoryFormat

/// A chunk that a snapshot reaches, and where it belongs there.
struct ChunkUse {
    /// One that reaches it: the first that was gone through.
    var snapshot: SnapshotID
    var id: ChunkID
    var kind: PackDirectory.Kind
    /// Of a map chunk: the first that it covers.
    var band: UInt64
    /// Within the band.
    var offset = 0
}

/// Goes through every chunk that snapshots reach, in the order of their images. Subtrees that several share are gone through once, unless asked for again.
struct LiveWalk {
    private let reader: SegmentReader
    private let cancellation: Cancellation
    /// Called for each chunk, data chunks more than once if several bands have them.
    private let use: (ChunkUse) throws(RepositoryError) -> Void
    private let enters: ((MapSubtree.Identity) -> Bool)?
    private var known: Set<MapSubtree.Identity> = []

    /// - Parameter enters: whether to go through a subtree; nil for each once.
    init(_ reader: SegmentReader, _ cancellation: Cancellation, enters: ((MapSubtree.Identity) -> Bool)? = nil, use: @escaping (ChunkUse) throws(RepositoryError) -> Void) {
        self.reader = reader
        self.cancellation = cancellation
        self.enters = enters
        self.use = use
    }

    /// - Throws: for anything that cannot be read: what it reaches is not known then. `.lacking` if that is lost.
    mutating func walk(_ manifest: Manifest) throws(RepositoryError) {
        for tree in MapTree.all(of: manifest) { try walk(tree.whole, manifest.snapshot) }
    }

    private mutating func walk(_ subtree: MapSubtree, _ snapshot: SnapshotID) throws(RepositoryError) {
        guard let identity = subtree.identity, enters?(identity) ?? known.insert(identity).inserted else { return }
        try cancellation.check()
        try use(ChunkUse(snapshot: snapshot, id: identity.id, kind: .map, band: subtree.firstBand))
        let content: MapSubtree.Content
        do throws(RepositoryError) { content = try subtree.content(reader) } catch { throw error.needed(by: snapshot) }
        switch content {
        case .subtrees(let subtrees):
            for subtree in subtrees { try walk(subtree, snapshot) }
        case .band(let map):
            var offset = 0
            for entry in map.entries {
                if entry.kind == .data { try use(ChunkUse(snapshot: snapshot, id: entry.chunk, kind: .data, band: subtree.firstBand, offset: offset)) }
                offset += Int(entry.byteCount)
            }
        }
    }
}
