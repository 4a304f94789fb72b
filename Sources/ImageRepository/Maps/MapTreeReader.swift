import Bytes
import Packing
import RepositoryFormat
import Synchronization

/// Finds band maps from a volume's root. Safe to use from several threads.
final class MapTreeReader: Sendable {
    /// A run of bands that one slot of the tree describes: a single band map, or a uniform subtree.
    struct Run: Equatable {
        var firstBand: UInt64
        var bandCount: UInt64
        /// Of kind map, or uniform.
        var slot: MapSlot
    }

    /// Nodes of 8 KiB each; a path has at most four.
    private static let cachedNodeCount = 64

    let geometry: MapGeometry
    private let reader: SegmentReader
    private let root: MapSlot
    private let nodes = Mutex<[ChunkID: MapNode]>([:])

    init(_ reader: SegmentReader, root: MapSlot, geometry: MapGeometry) {
        self.reader = reader
        self.root = root
        self.geometry = geometry
    }

    /// The run that holds a band. O(depth), mostly from memory.
    func run(at band: UInt64) throws(RepositoryError) -> Run {
        precondition(band < geometry.bandCount, "the band lies within the volume")
        var slot = root
        var level = geometry.depth
        var firstBand: UInt64 = 0
        while slot.kind == .node {
            let node = try node(slot.id, level: level, firstBand: firstBand)
            let bandsPerSlot = MapGeometry.bandsBelow(level: level - 1)
            let position = (band - firstBand) / bandsPerSlot
            slot = node.slots[Int(position)]
            firstBand += position * bandsPerSlot
            level -= 1
        }
        let bandCount = min(MapGeometry.bandsBelow(level: level), geometry.bandCount - firstBand)
        return Run(firstBand: firstBand, bandCount: bandCount, slot: slot)
    }

    /// The entries of a band; of a uniform one, a single entry.
    func bandMap(_ band: UInt64, _ slot: MapSlot) throws(RepositoryError) -> BandMap {
        let byteCount = geometry.bandByteCount(band)
        guard slot.kind == .map else { return BandMap(entries: [MapEntry(kind: slot.kind, byteCount: UInt32(byteCount))]) }
        return try reader.bandMap(slot.id, byteCount: byteCount)
    }

    func bandMap(_ band: UInt64) throws(RepositoryError) -> BandMap { try bandMap(band, try run(at: band).slot) }

    /// All runs in order.
    func forEachRun(_ body: (Run) throws(RepositoryError) -> Void) throws(RepositoryError) {
        var band: UInt64 = 0
        while band < geometry.bandCount {
            let run = try run(at: band)
            try body(run)
            band = run.firstBand + run.bandCount
        }
    }

    private func node(_ id: ChunkID, level: Int, firstBand: UInt64) throws(RepositoryError) -> MapNode {
        let slotCount = geometry.slotCount(level: level, firstBand: firstBand)
        if let known = nodes.withLock({ $0[id] }), known.level == level, known.slots.count == slotCount { return known }
        let node = try reader.mapNode(id, level: level, slotCount: slotCount)
        nodes.withLock { nodes in
            if nodes.count >= MapTreeReader.cachedNodeCount { nodes.removeAll() }
            nodes[id] = node
        }
        return node
    }
}
