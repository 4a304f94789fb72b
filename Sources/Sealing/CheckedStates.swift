import Synchronization

/// States of a library that may not be usable on this machine, each for one thread at a time: the first user makes and checks one, and where that fails there is none from
/// then on.
final class CheckedStates<State: Sendable>: Sendable {
    private enum Free {
        case usable([State])
        case unusable
    }

    private let free = Mutex(Free.usable([]))

    /// - Parameter make: a new state; nil if it cannot be made, or does not compute what it should.
    func take(orMake make: () -> State?) -> State? {
        let pooled: State?? = free.withLock { free in
            guard case .usable(var states) = free else { return .some(nil) }
            guard let last = states.popLast() else { return nil }
            free = .usable(states)
            return last
        }
        if let pooled { return pooled }
        guard let new = make() else {
            free.withLock { $0 = .unusable }
            return nil
        }
        return new
    }

    func giveBack(_ state: State) {
        free.withLock { free in
            guard case .usable(let states) = free else { return }
            free = .usable(states + [state])
        }
    }
}
