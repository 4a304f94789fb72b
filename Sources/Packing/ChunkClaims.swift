package import Bytes
import Synchronization

/// The chunks that a session has taken upon itself to store. The first claim wins; everybody else refers to it.
package final class ChunkClaims: Sendable {
    private struct Claim: Hashable {
        var low: UInt64
        var high: UInt64
    }

    private let claims = Mutex<Set<Claim>>([])
    private let index: ChunkIndex

    package init(index: ChunkIndex) { self.index = index }

    /// Whether the caller must store the chunk: it has no counting location, and nobody of this session stores it.
    package func claim(_ id: ChunkID) -> Bool {
        if index.hasCountingLocation(id) { return false }
        return claims.withLock { $0.insert(Claim(low: id.digest.words.0, high: id.digest.words.1)).inserted }
    }

    /// Whether the chunk is in the repository, or will be with this session.
    package func holds(_ id: ChunkID) -> Bool {
        index.hasCountingLocation(id) || claims.withLock { $0.contains(Claim(low: id.digest.words.0, high: id.digest.words.1)) }
    }
}
