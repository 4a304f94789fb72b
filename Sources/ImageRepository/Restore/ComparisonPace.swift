import Synchronization

/// Decides which pieces of a target are compared before they are written.
///
/// Reading a target whose contents have nothing to do with the snapshot doubles the time of a restore. So behind so many bytes in which nothing was equal as many are written as they
/// are, then one piece is compared again: what is written without need is about as much as what differs, at most, and nothing where less than `patience` differs in a row. One piece in
/// which something is equal begins anew. All threads of a restore share it. Decision: Specs/decisions/0013-unrelated-targets-are-sampled.md.
final class ComparisonPace: Sendable {
    /// Bytes that are compared at least before any is written without a look.
    static let patience = 8 << 20
    /// Most bytes between two that are compared.
    static let stepByteCountMax = 32 << 20

    private struct State {
        /// Bytes in a row of which none was found equal, also those that were not looked at.
        var differingByteCount = 0
        /// That are not to be looked at.
        var passedByteCount = 0
    }

    private let state = Mutex(State())

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
            state.passedByteCount = state.differingByteCount < ComparisonPace.patience ? 0 : min(state.differingByteCount, ComparisonPace.stepByteCountMax)
        }
    }
}
