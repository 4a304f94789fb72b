import Packing
import RepositoryFormat
import Storage

/// Gathers the references to parts from maps, each once. Which maps cannot be read is left to others to tell of; what is wrong with packs is kept, since a second reading
/// may find nothing.
struct PartWalk {
    private let index: ChunkIndex
    private let reader: SegmentReader
    private var known: Set<MapSubtree.Identity> = []
    private var references = PartReferences()
    /// Map packs that could not be read, and why.
    private(set) var badPacks: [ObjectName: String] = [:]
    private let cancellation: Cancellation

    init(_ repository: Repository, _ index: ChunkIndex, _ cancellation: Cancellation) {
        self.index = index
        self.cancellation = cancellation
        reader = repository.segmentReader(index)
    }

    /// - Throws: `.storage` when the storage does not answer at all.
    mutating func add(_ subtree: MapSubtree) throws(RepositoryError) {
        guard let identity = subtree.identity, known.insert(identity).inserted else { return }
        try cancellation.check()
        let content: MapSubtree.Content
        do throws(RepositoryError) { content = try subtree.content(reader) } catch { return try note(error) }
        switch content {
        case .band(let map):
            for entry in map.entries where entry.kind == .data {
                guard let place = index.location(entry.chunk), entry.chunkOffset > 0 || entry.byteCount < place.byteCount else { continue }
                references.add(entry)
            }
        case .subtrees(let subtrees): for part in subtrees { try add(part) }
        }
    }

    private mutating func note(_ error: RepositoryError) throws(RepositoryError) {
        switch error {
        case .storage(.unavailable): throw error
        case .damaged(let object, _), .storage(.failed(let object, _, _)):
            guard let name = ObjectName(path: object), name.kind == .maps else { return }
            badPacks[name] = badPacks[name] ?? error.reason
        default: break
        }
    }

    mutating func finish() -> PartReferences {
        references.finish()
        return references
    }
}
