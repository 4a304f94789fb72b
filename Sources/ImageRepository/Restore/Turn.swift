import Threading

/// Lets steps that must be written in order take their turns; free for all where order does not matter.
final class Turn: Sendable {
    private let next: Monitor<Int?>
    private let isNeeded: Bool

    init(isNeeded: Bool) {
        next = Monitor(0)
        self.isNeeded = isNeeded
    }

    func inOrder(_ number: Int, _ body: () throws(RepositoryError) -> Void) throws(RepositoryError) {
        guard isNeeded else { return try body() }
        let isMine = next.wait { next -> Bool? in
            guard let current = next else { return false }
            return current == number ? true : nil
        }
        guard isMine else { throw .cancelled }
        try body()
        next.withLock { if $0 != nil { $0 = number + 1 } }
    }

    /// Nobody's turn comes any more.
    func cancel() { next.withLock { $0 = nil } }
}
