import Bytes
import Packing
import RepositoryFormat
import Storage

/// Walks map trees once each, however many snapshots share them.
struct MapWalk {
    struct Fault: Hashable {
        var object: String
        var reason: String
    }

    /// What a subtree needs and lacks.
    struct Outcome {
        /// Ordinals of the bad packs that something below has no other location than.
        var badPacks: Set<UInt32> = []
        private(set) var problems: Set<Fault> = []
        /// What cannot be restored, from the start of the subtree on, in order, joined.
        private(set) var lost: [Range<UInt64>] = []

        /// A lost index object concerns a million chunks, of which a hundred tell as much.
        private static let problemCountMax = 100

        /// - Parameter offset: where the other subtree begins; it follows those that were added before.
        mutating func add(_ other: Outcome, at offset: UInt64) {
            badPacks.formUnion(other.badPacks)
            for problem in other.problems { add(problem) }
            for range in other.lost { lost.join(range.lowerBound + offset..<range.upperBound + offset) }
        }

        mutating func lose(_ range: Range<UInt64>) { lost.join(range) }

        mutating func loseAll(_ byteCount: UInt64) { lost = [0..<byteCount] }

        mutating func add(_ problem: Fault) {
            if problems.count < Outcome.problemCountMax { problems.insert(problem) }
        }
    }

    private let index: ChunkIndex
    private let packs: [PackRecord]
    private let reader: SegmentReader
    private var probe: ChunkProbe
    private let wrongParts: Set<PartReferences.Part>
    private var known: [MapSubtree.Identity: Outcome] = [:]
    /// Packs from which a map chunk could not be read.
    private(set) var suspects: Set<ObjectName> = []

    init(_ repository: Repository, index: ChunkIndex, packs: [PackRecord], bad: Set<ObjectName>, wrongParts: Set<PartReferences.Part>) {
        self.index = index
        self.wrongParts = wrongParts
        self.packs = packs
        reader = repository.segmentReader(index)
        let ordinals = packs.indices.filter { bad.contains(packs[$0].name) }.map(UInt32.init)
        probe = ChunkProbe(repository, index, reader, bad: Set(ordinals))
    }

    /// - Throws: `.storage` when the storage does not answer at all.
    mutating func outcome(of subtree: MapSubtree) throws(RepositoryError) -> Outcome {
        guard let identity = subtree.identity else { return Outcome() }
        if let outcome = known[identity] { return outcome }
        var outcome = Outcome()
        _ = try look(for: identity.id, .map, &outcome)
        do throws(RepositoryError) {
            switch try subtree.content(reader) {
            case .band(let map): try add(map, &outcome)
            case .subtrees(let subtrees):
                for part in subtrees { outcome.add(try self.outcome(of: part), at: (part.firstBand - subtree.firstBand) * UInt64(FormatLimits.bandByteCount)) }
            }
        } catch {
            if case .storage(.unavailable) = error { throw error }
            outcome.add(Fault(object: "map chunk \(identity.id)", reason: error.reason))
            outcome.loseAll(identity.byteCount)
            suspects.formUnion(index.locations(identity.id).map { packs[Int($0.pack)].name })
        }
        known[identity] = outcome
        return outcome
    }

    private mutating func add(_ map: BandMap, _ outcome: inout Outcome) throws(RepositoryError) {
        var end: UInt64 = 0
        for entry in map.entries {
            let start = end
            end += UInt64(entry.byteCount)
            guard entry.kind == .data else { continue }
            var isWhole = try look(for: entry.chunk, .data, &outcome)
            if let place = index.locations(entry.chunk).first, UInt64(entry.chunkOffset) + UInt64(entry.byteCount) > UInt64(place.byteCount) {
                outcome.add(Fault(object: "chunk \(entry.chunk)", reason: "it is shorter than a map says"))
                isWhole = false
            }
            if !wrongParts.isEmpty, wrongParts.contains(PartReferences.Part(entry)) {
                outcome.add(
                    Fault(object: "chunk \(entry.chunk)", reason: "\(entry.byteCount) bytes at its byte \(entry.chunkOffset) are not what a map refers to; “holdfast backup --rehash” stores anew what is still on the disk"))
                isWhole = false
            }
            if !isWhole { outcome.lose(start..<end) }
        }
    }

    /// Whether a chunk can be had; adds what is wrong with where it is.
    private mutating func look(for id: ChunkID, _ kind: PackDirectory.Kind, _ outcome: inout Outcome) throws(RepositoryError) -> Bool {
        let locations = index.locations(id)
        if locations.isEmpty {
            outcome.add(Fault(object: "chunk \(id)", reason: "no pack of the index has it"))
            return false
        }
        if let wrong = locations.first(where: { packs[Int($0.pack)].kind != kind }) {
            outcome.add(Fault(object: packs[Int(wrong.pack)].name.path, reason: "it has chunk \(id), which is of the other kind"))
            return locations.contains { packs[Int($0.pack)].kind == kind }
        }
        if try probe.canRead(id, kind, at: locations) { return true }
        outcome.badPacks.formUnion(locations.map(\.pack))
        return false
    }
}
