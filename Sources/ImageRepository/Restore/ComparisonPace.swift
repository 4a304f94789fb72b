import Synchronization

/// Decides which pieces of a target are compared before they are written.
///
/// Reading a target whose contents have nothing to do with the snapshot doubles the time of a restore. So behind so many bytes in a row of which
/// none was found equal as many are written without a look, at most `stepByteCountMax`; then one piece is compared again. Where something is equal,
/// all is compared from then on. All threads of a restore share it. Decision: Specs/decisions/0013-unrelated-targets-are-sampled.md.
final class ComparisonPace: Sendable {
    /// Most bytes that are written without a look behind a piece that was compared.
    static let stepByteCountMax = 32 << 20
    private static let patienceMin = 8 << 20
    /// So many chunks that all differ do not happen by chance where a target is like the snapshot.
    private static let patienceInChunks = 256

    private struct State {
        /// Bytes in a row of which none was found equal, also those that were not looked at.
        var differingByteCount = 0
        /// That are not to be looked at; below zero if the last piece had more.
        var passedByteCount = 0
    }

    /// Bytes that are compared at least before any is written without a look.
    private let patience: Int
    private let state = Mutex(State())

    init(averageChunkByteCount: Int) { patience = max(ComparisonPace.patienceMin, ComparisonPace.patienceInChunks * averageChunkByteCount) }

    /// Whether the next bytes are to be compared. Who compares them says what came of it.
    func compares(next byteCount: Int) -> Bool {
        state.withLock { state in
            guard state.passedByteCount > 0 else { return true }
            state.passedByteCount -= byteCount
            state.differingByteCount += byteCount
            return false
        }
    }

    func note(_ byteCount: Int, isAnythingEqual: Bool) {
        state.withLock { state in
            state.differingByteCount = isAnythingEqual ? 0 : state.differingByteCount + byteCount
            state.passedByteCount = state.differingByteCount < patience ? 0 : min(state.differingByteCount, ComparisonPace.stepByteCountMax)
        }
    }
}
