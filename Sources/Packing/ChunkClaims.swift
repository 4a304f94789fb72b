package import Bytes
import Synchronization

/// The chunks that a session has taken upon itself to store. The first claim wins; everybody else refers to it.
package final class ChunkClaims: Sendable {
    private struct Claim: Hashable {
        var low: UInt64
        var high: UInt64
    }

    private let claims = Mutex<[Claim: UInt32]>([:])
    private let index: ChunkIndex

    package init(index: ChunkIndex) { self.index = index }

    /// Whether the caller must store the chunk: it has no counting location, and nobody of this session stores it.
    package func claim(_ id: ChunkID, byteCount: Int) -> Bool {
        if index.countingLocation(id) != nil { return false }
        return claims.withLock { claims in
            let claim = Claim(low: id.digest.words.0, high: id.digest.words.1)
            guard claims[claim] == nil else { return false }
            claims[claim] = UInt32(byteCount)
            return true
        }
    }

    /// The byte count of a chunk that is in the repository or will be with this session; nil for one that must be stored.
    package func byteCount(_ id: ChunkID) -> UInt32? {
        index.countingLocation(id)?.byteCount ?? claims.withLock { $0[Claim(low: id.digest.words.0, high: id.digest.words.1)] }
    }
}
