import Bytes
import RepositoryFormat

/// Builds a volume's map tree from the slots of its bands, which come in order. Holds at most one open node a level.
///
/// The number of bands need not be known before the end.
struct MapTreeBuilder {
    /// Slots of the open node of each level, 1 …; one level more than a tree has, for the root's slot.
    private var levels = [[MapSlot]](repeating: [], count: FormatLimits.mapDepthMax + 2)
    private(set) var bandCount: UInt64 = 0

    /// Stores a node and returns its id.
    typealias Store = ([UInt8]) throws(RepositoryError) -> ChunkID

    mutating func append(_ slot: MapSlot, _ store: Store) throws(RepositoryError) {
        bandCount += 1
        try push(slot, level: 1, store)
    }

    /// Appends `count` bands of one uniform kind, whole subtrees at a time.
    mutating func append(_ kind: MapKind, count: UInt64, _ store: Store) throws(RepositoryError) {
        var left = count
        while left > 0 {
            // The highest level at which the run begins on a boundary and fills a slot.
            var level = 1
            while level < FormatLimits.mapDepthMax, levels[1...level].allSatisfy(\.isEmpty), left >= MapGeometry.bandsBelow(level: level) { level += 1 }
            try push(.uniform(kind), level: level, store)
            let bands = MapGeometry.bandsBelow(level: level - 1)
            bandCount += bands
            left -= bands
        }
    }

    /// Closes all open nodes and returns the root's slot.
    mutating func finish(byteCount: UInt64, _ store: Store) throws(RepositoryError) -> MapSlot {
        let geometry = MapGeometry(byteCount: byteCount)
        precondition(geometry.bandCount == bandCount, "every band has its slot")
        guard bandCount > 0 else { return .uniform(.zero) }
        for level in 1..<geometry.depth + 1 where !levels[level].isEmpty { try closeNode(level, store) }
        let root = levels[geometry.depth + 1]
        precondition(root.count == 1, "a tree has one root")
        return root[0]
    }

    private mutating func push(_ slot: MapSlot, level: Int, _ store: Store) throws(RepositoryError) {
        levels[level].append(slot)
        if levels[level].count == FormatLimits.nodeSlotCount { try closeNode(level, store) }
    }

    private mutating func closeNode(_ level: Int, _ store: Store) throws(RepositoryError) {
        let slots = levels[level]
        levels[level] = []
        if slots[0].kind.isUniform, slots.allSatisfy({ $0.kind == slots[0].kind }) {
            try push(.uniform(slots[0].kind), level: level + 1, store)
        } else {
            let id = try store(MapNode(level: level, slots: slots).encoded)
            try push(MapSlot(kind: .node, id: id), level: level + 1, store)
        }
    }
}
