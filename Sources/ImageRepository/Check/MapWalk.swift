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

        /// A lost index object concerns a million chunks, of which a hundred tell as much.
        private static let problemCountMax = 100

        mutating func add(_ other: Outcome) {
            badPacks.formUnion(other.badPacks)
            for problem in other.problems { add(problem) }
        }

        mutating func add(_ problem: Fault) {
            if problems.count < Outcome.problemCountMax { problems.insert(problem) }
        }
    }

    private struct Key: Hashable {
        var id: ChunkID
        var level: Int
        /// Bytes below: the last band of a volume is shorter than others with the same content would be.
        var byteCount: UInt64
    }

    private let index: ChunkIndex
    private let packs: [PackRecord]
    private let bad: Set<ObjectName>
    private let reader: SegmentReader
    private var known: [Key: Outcome] = [:]

    init(index: ChunkIndex, packs: [PackRecord], bad: Set<ObjectName>, reader: SegmentReader) {
        self.index = index
        self.packs = packs
        self.bad = bad
        self.reader = reader
    }

    /// - Parameters:
    ///   - level: 0 for a band map's slot.
    ///   - firstBand: of the subtree.
    /// - Throws: `.storage` when the storage does not answer at all.
    mutating func outcome(
        of slot: MapSlot, level: Int, firstBand: UInt64, _ geometry: MapGeometry
    ) throws(RepositoryError) -> Outcome {
        guard !slot.kind.isUniform else { return Outcome() }
        let start = firstBand * UInt64(FormatLimits.bandByteCount)
        let byteCount = min(geometry.byteCount - start, MapGeometry.bandsBelow(level: level) * UInt64(FormatLimits.bandByteCount))
        let key = Key(id: slot.id, level: level, byteCount: byteCount)
        if let outcome = known[key] { return outcome }
        var outcome = location(of: slot.id, .map)
        do throws(RepositoryError) {
            let bytes = try packing { () throws(PackingError) in try unsafe reader.withChunk(slot.id, .map) { unsafe Array($0) } }
            if level == 0 {
                try addBandMap(bytes, byteCount: Int(byteCount), &outcome)
            } else {
                try addNode(bytes, level: level, firstBand: firstBand, geometry, &outcome)
            }
        } catch {
            if case .storage(.unavailable) = error { throw error }
            outcome.add(Fault(object: "map chunk \(slot.id)", reason: error.reason))
        }
        known[key] = outcome
        return outcome
    }

    private func addBandMap(_ bytes: [UInt8], byteCount: Int, _ outcome: inout Outcome) throws(RepositoryError) {
        let map = try decoding("band map") { () throws(FormatError) in try BandMap(decoding: bytes, bandByteCount: byteCount) }
        for entry in map.entries where entry.kind == .data {
            outcome.add(location(of: entry.chunk, .data))
            if let place = index.locations(entry.chunk).first, UInt64(entry.chunkOffset) + UInt64(entry.byteCount) > UInt64(place.byteCount) {
                outcome.add(Fault(object: "chunk \(entry.chunk)", reason: "it is shorter than a map says"))
            }
        }
    }

    private mutating func addNode(
        _ bytes: [UInt8], level: Int, firstBand: UInt64, _ geometry: MapGeometry, _ outcome: inout Outcome
    ) throws(RepositoryError) {
        let slotCount = geometry.slotCount(level: level, firstBand: firstBand)
        let node = try decoding("map node") { () throws(FormatError) in
            try MapNode(decoding: bytes, level: level, slotCount: slotCount)
        }
        for (position, slot) in node.slots.enumerated() {
            let band = firstBand + UInt64(position) * MapGeometry.bandsBelow(level: level - 1)
            outcome.add(try self.outcome(of: slot, level: level - 1, firstBand: band, geometry))
        }
    }

    /// What is wrong with where a chunk is.
    private func location(of id: ChunkID, _ kind: PackDirectory.Kind) -> Outcome {
        var outcome = Outcome()
        let locations = index.locations(id)
        if locations.isEmpty {
            outcome.add(Fault(object: "chunk \(id)", reason: "no pack of the index has it"))
        } else if let wrong = locations.first(where: { packs[Int($0.pack)].kind != kind }) {
            outcome.add(Fault(object: packs[Int(wrong.pack)].name.path, reason: "it has chunk \(id), which is of the other kind"))
        } else if locations.allSatisfy({ bad.contains(packs[Int($0.pack)].name) }) {
            outcome.badPacks.formUnion(locations.map(\.pack))
        }
        return outcome
    }
}
