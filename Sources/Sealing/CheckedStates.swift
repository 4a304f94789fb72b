import Synchronization

/// States of a library that may not be usable on this machine, each for one thread at a time: the first user makes and checks one, and where that fails there is none from
/// then on.
final class CheckedStates<State: Sendable>: Sendable {
    private struct Free {
        var states: [State] = []
        var isUsable = true
    }

    private let free = Mutex(Free())

    /// - Parameter make: a new state; nil if it cannot be made, or does not compute what it should.
    func take(orMake make: () -> State?) -> State? {
        let (pooled, isUsable) = free.withLock { free in (free.states.popLast(), free.isUsable) }
        if pooled != nil || !isUsable { return pooled }
        guard let new = make() else {
            free.withLock { free in
                free.isUsable = false
                free.states = []
            }
            return nil
        }
        return new
    }

    func giveBack(_ state: State) {
        free.withLock { if $0.isUsable { $0.states.append(state) } }
    }
}
