import Bytes
import Packing
import RepositoryFormat

/// What hangs below one slot of a map tree, or below its root.
struct MapSubtree {
    /// Those that are equal reach the same chunks, wherever they stand.
    struct Identity: Hashable {
        let id: ChunkID
        let level: Int
        /// Bytes below: the last band of a volume is shorter than others with the same content would be.
        let byteCount: UInt64
    }

    enum Content {
        case band(BandMap)
        case subtrees([MapSubtree])
    }

    let slot: MapSlot
    /// 0 for a band map.
    let level: Int
    let firstBand: UInt64
    let geometry: MapGeometry

    /// Nil for a uniform one, of which nothing is stored.
    var identity: Identity? {
        guard !slot.kind.isUniform else { return nil }
        let start = firstBand * UInt64(FormatLimits.bandByteCount)
        let byteCount = min(geometry.byteCount - start, MapGeometry.bandsBelow(level: level) * UInt64(FormatLimits.bandByteCount))
        return Identity(id: slot.id, level: level, byteCount: byteCount)
    }

    /// Reads the map chunk.
    ///
    /// - Precondition: it is not uniform.
    func content(_ reader: SegmentReader) throws(RepositoryError) -> Content {
        if level == 0 { return .band(try reader.bandMap(slot.id, byteCount: geometry.bandByteCount(firstBand))) }
        let node = try reader.mapNode(slot.id, level: level, slotCount: geometry.slotCount(level: level, firstBand: firstBand))
        let bandsPerSlot = MapGeometry.bandsBelow(level: level - 1)
        return .subtrees(
            node.slots.enumerated().map { MapSubtree(slot: $1, level: level - 1, firstBand: firstBand + UInt64($0) * bandsPerSlot, geometry: geometry) })
    }
}
