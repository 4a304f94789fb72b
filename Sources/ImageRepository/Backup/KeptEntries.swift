import Bytes
import RepositoryFormat

/// An entry, and where in its band it begins.
struct PlacedEntry {
    var position: Int
    var entry: MapEntry
}

/// What a band keeps of its parent's entries, whole or in part.
struct KeptEntries {
    /// A shorter part costs more in the map than it saves.
    static let partByteCountMin = 256
    /// A chunk of which the band would use less than one in so many bytes is not referred to in parts any more: what is left of it is stored again, so that neither
    /// what is stored nor what a restore reads grows beyond bounds.
    private static let chunkShareMin = 3

    private struct Use {
        var usedByteCount = 0
        let chunkByteCount: Int
    }

    private(set) var entries: [PlacedEntry] = []
    /// Chunks of which not all is referred to, or will be.
    private var uses: [ChunkID: Use] = [:]

    mutating func append(_ entry: MapEntry, at position: Int) { entries.append(PlacedEntry(position: position, entry: entry)) }

    /// `dropRemnants` is to look at how much of the chunk is used.
    mutating func weigh(_ chunk: ChunkID, byteCount: Int) {
        if uses[chunk] == nil { uses[chunk] = Use(chunkByteCount: byteCount) }
    }

    /// Drops parts of weighed chunks of which too little would be used.
    ///
    /// - Parameter others: what else the band refers to.
    mutating func dropRemnants(beside others: @autoclosure () -> [MapEntry]) {
        if uses.isEmpty { return }
        for entry in others() + entries.map(\.entry) { uses[entry.chunk]?.usedByteCount += Int(entry.byteCount) }
        entries.removeAll { kept in
            guard let use = uses[kept.entry.chunk], kept.entry.byteCount < use.chunkByteCount else { return false }
            return use.usedByteCount * KeptEntries.chunkShareMin < use.chunkByteCount
        }
    }
}
