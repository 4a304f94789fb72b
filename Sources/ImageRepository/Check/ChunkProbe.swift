import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage

/// Tells whether a chunk can be read. Asks the storage only about chunks all of whose locations are in packs that something is known to be wrong with:
/// a damaged pack may hold sound segments.
struct ChunkProbe {
    private struct Segment: Hashable {
        var pack: UInt32
        var number: UInt32
    }

    private let repository: Repository
    private let index: ChunkIndex
    private let reader: SegmentReader
    private let bad: Set<UInt32>
    private var unreadable: Set<Segment> = []
    private var known: [ChunkID: Bool] = [:]

    /// - Parameter bad: ordinals of packs that are missing or damaged; all others are taken to be sound.
    init(_ repository: Repository, _ index: ChunkIndex, _ reader: SegmentReader, bad: Set<UInt32>) {
        self.repository = repository
        self.index = index
        self.reader = reader
        self.bad = bad
    }

    /// Whether one of the locations gives the chunk. A key that reads no data gets no data out of a bad pack: what it cannot know counts as lost.
    ///
    /// - Throws: `.storage` when the storage does not answer at all.
    mutating func canRead(_ id: ChunkID, _ kind: PackDirectory.Kind, at locations: [ChunkLocation]) throws(RepositoryError) -> Bool {
        if locations.contains(where: { !bad.contains($0.pack) }) { return true }
        if let answer = known[id] { return answer }
        var answer = false
        for location in locations where !answer { answer = try gives(location, id, kind) }
        known[id] = answer
        return answer
    }

    private mutating func gives(_ location: ChunkLocation, _ id: ChunkID, _ kind: PackDirectory.Kind) throws(RepositoryError) -> Bool {
        let place = Segment(pack: location.pack, number: location.segment)
        guard !unreadable.contains(place), index.pack(location.pack).kind == kind else { return false }
        do throws(PackingError) {
            let segment = try reader.segment(location)
            defer { withExtendedLifetime(segment) {} }
            guard location.end <= segment.byteCount else { return false }
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: segment.bytes[Int(location.offset)..<location.end])
            return unsafe repository.sealer.member.chunkID(kind, bytes) == id
        } catch {
            if case .storage(.unavailable) = error { throw RepositoryError(error) }
            unreadable.insert(place)
            return false
        }
    }
}
