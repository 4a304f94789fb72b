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

    private(set) var entries: [PlacedEntry] = []
    private var uses = ChunkUses()

    mutating func append(_ entry: MapEntry, at position: Int) { entries.append(PlacedEntry(position: position, entry: entry)) }

    /// The chunk is not used whole; `dropRemnants` is to look at how much of it is.
    mutating func weigh(_ chunk: ChunkID, byteCount: Int) { uses.weigh(chunk, byteCount: byteCount) }

    /// Drops parts of weighed chunks of which too little would be used.
    ///
    /// - Parameter others: what else the band refers to.
    mutating func dropRemnants(beside others: @autoclosure () -> [MapEntry]) {
        if uses.isEmpty { return }
        for entry in others() + entries.map(\.entry) { uses.count(entry) }
        entries.removeAll { uses.isRemnant($0.entry) }
    }
}
