import Packing
import RepositoryFormat
import Sealing
import Synchronization

/// Decides whether an entry of the parent can stand for the bytes at its place. Each thread has one of its own.
final class ParentMatcher {
    enum Answer {
        /// The bytes are the entry's, and its chunk, of that many bytes, is there.
        case same(chunkByteCount: Int)
        case different
        /// The fingerprint is the entry's, but its chunk has no counting location: it must be stored again.
        case missing
    }

    private let member: MemberKeys
    private let claims: ChunkClaims
    private let counters: BackupCounters
    /// One in so many matches, chosen at random, is verified by chunk id.
    private let verifiedMatchRate: UInt64
    private var generator = SystemRandomNumberGenerator()
    private var matchesToVerification: UInt64

    init(_ member: MemberKeys, _ claims: ChunkClaims, _ counters: BackupCounters, verifiedMatchRate: UInt64) {
        self.member = member
        self.claims = claims
        self.counters = counters
        self.verifiedMatchRate = verifiedMatchRate
        matchesToVerification = generator.next(upperBound: verifiedMatchRate) + 1
    }

    func compare(_ entry: MapEntry, _ bytes: UnsafeRawBufferPointer) -> Answer {
        guard !isRefuted, unsafe member.fingerprint(bytes) == entry.fingerprint else { return .different }
        guard let chunkByteCount = claims.byteCount(entry.chunk) else { return .missing }
        guard UInt64(entry.chunkOffset) + UInt64(entry.byteCount) <= UInt64(chunkByteCount) else { return .different }
        // A reference to a part of a chunk cannot be verified by these bytes alone.
        guard chunkByteCount == entry.byteCount, isToBeVerified() else { return .same(chunkByteCount: Int(chunkByteCount)) }
        if unsafe member.chunkID(.data, bytes) == entry.chunk { return .same(chunkByteCount: Int(chunkByteCount)) }
        counters.isFingerprintRefuted.store(true, ordering: .relaxed)
        return .different
    }

    /// The byte count of the entry's chunk, if that is in the repository, so that a snapshot may name it, and the entry lies within it.
    func chunkByteCount(of entry: MapEntry) -> Int? {
        claims.byteCount(entry.chunk).flatMap { UInt64(entry.chunkOffset) + UInt64(entry.byteCount) <= UInt64($0) ? Int($0) : nil }
    }

    /// Whether a fingerprint was wrong, so that none is believed.
    var isRefuted: Bool { counters.isFingerprintRefuted.load(ordering: .relaxed) }

    /// Draws the distance to the next, uniform around the rate: one system call for many matches.
    private func isToBeVerified() -> Bool {
        matchesToVerification -= 1
        guard matchesToVerification == 0 else { return false }
        matchesToVerification = generator.next(upperBound: 2 * verifiedMatchRate - 1) + 1
        return true
    }
}
