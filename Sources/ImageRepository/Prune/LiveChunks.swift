import Bytes
import Packing
import RepositoryFormat
import Storage

/// Which stored copies of chunks are needed: one of each chunk that a snapshot reaches.
///
/// Life: `insert` every use, then `settle` once; afterwards it only answers. Memory: two bits for each entry of the index, four bytes for each segment.
final class LiveChunks {
    private let index: ChunkIndex
    /// Packs that are there and on no list of a prune.
    private let isUsable: (PackRecord) -> Bool
    private let isSuspect: (PackRecord) -> Bool
    private var needed: BitSet
    private var seen: BitSet
    private var several: [ChunkID] = []
    /// Decoded bytes that are needed of each segment, by pack.
    private var byteCounts: [UInt32: [UInt32]] = [:]
    private var usable: [UInt32: Bool] = [:]

    /// - Parameters:
    ///   - isUsable: whether what a pack holds may be counted on.
    ///   - isSuspect: whether a pack is known to be damaged; another copy is preferred.
    init(_ index: ChunkIndex, isUsable: @escaping (PackRecord) -> Bool, isSuspect: @escaping (PackRecord) -> Bool) {
        self.index = index
        self.isUsable = isUsable
        self.isSuspect = isSuspect
        needed = BitSet(limit: index.entryNumberLimit)
        seen = BitSet(limit: index.entryNumberLimit)
    }

    /// Whether there is a copy that may be counted on.
    func insert(_ id: ChunkID) -> Bool {
        let entries = index.entries(id).filter { isUsable($0.location.pack) }
        guard let first = entries.first else { return false }
        if seen.insert(first.number) {
            if entries.count == 1 { need(first) } else { several.append(id) }
        }
        return true
    }

    /// Decides which copy of those with several is kept: one in a pack of which most is needed anyway, and only after it was read.
    ///
    /// - Parameter isIntact: asked for each location that is to stay instead of others. If none is, all stay.
    func settle(isIntact: (ChunkLocation) throws(RepositoryError) -> Bool) throws(RepositoryError) {
        var known: [UInt64: Bool] = [:]
        func isGood(_ location: ChunkLocation) throws(RepositoryError) -> Bool {
            let segment = UInt64(location.pack) << 32 | UInt64(location.segment)
            if let known = known[segment] { return known }
            let isGood = try isIntact(location)
            known[segment] = isGood
            return isGood
        }
        let counts = byteCounts.mapValues { $0.reduce(0) { $0 + UInt64($1) } }
        func rank(_ entry: ChunkIndex.Entry) -> (Int, UInt64, UInt32) {
            let pack = entry.location.pack
            return (isSuspect(index.pack(pack)) ? 1 : 0, UInt64.max - (counts[pack] ?? 0), pack)
        }
        for id in several {
            let entries = index.entries(id).filter { isUsable($0.location.pack) }.sorted { rank($0) < rank($1) }
            var kept: ChunkIndex.Entry?
            for entry in entries where try isGood(entry.location) {
                kept = entry
                break
            }
            for entry in kept.map({ [$0] }) ?? entries { need(entry) }
        }
        several = []
    }

    func isNeeded(_ entry: ChunkIndex.Entry) -> Bool { needed.contains(entry.number) }

    /// Decoded bytes that are needed of each segment of a pack.
    func byteCounts(_ pack: UInt32) -> [UInt32] { byteCounts[pack] ?? [UInt32](repeating: 0, count: index.pack(pack).segments.count) }

    func isNeeded(_ pack: UInt32) -> Bool { byteCounts[pack] != nil }

    private func need(_ entry: ChunkIndex.Entry) {
        guard needed.insert(entry.number) else { return }
        let location = entry.location
        if byteCounts[location.pack] == nil { byteCounts[location.pack] = byteCounts(location.pack) }
        byteCounts[location.pack]?[Int(location.segment)] += location.byteCount
    }

    private func isUsable(_ pack: UInt32) -> Bool {
        if let known = usable[pack] { return known }
        let isUsable = isUsable(index.pack(pack))
        usable[pack] = isUsable
        return isUsable
    }
}
