import Bytes
import RepositoryFormat

/// How much of chunks a band uses, of those that it does not use whole.
///
/// A chunk of which it would use less than one in three bytes is not referred to in parts any more: what is left of it is stored again, so that neither what is stored
/// nor what a restore reads grows beyond bounds.
struct ChunkUses {
    private static let shareMin = 3

    private struct Use {
        var usedByteCount = 0
        let chunkByteCount: Int
    }

    private var uses: [ChunkID: Use] = [:]

    var isEmpty: Bool { uses.isEmpty }

    /// Counts for this chunk from now on.
    mutating func weigh(_ chunk: ChunkID, byteCount: Int) {
        if uses[chunk] == nil { uses[chunk] = Use(chunkByteCount: byteCount) }
    }

    /// Counts what an entry refers to, if its chunk is weighed.
    mutating func count(_ entry: MapEntry) { uses[entry.chunk]?.usedByteCount += Int(entry.byteCount) }

    /// Whether the entry is a part of a chunk of which too little is used.
    func isRemnant(_ entry: MapEntry) -> Bool {
        guard let use = uses[entry.chunk], entry.byteCount < use.chunkByteCount else { return false }
        return use.usedByteCount * ChunkUses.shareMin < use.chunkByteCount
    }
}
