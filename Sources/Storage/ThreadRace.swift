import Glibc
import Synchronization

/// Runs `body(0)` … `body(count - 1)` at once, each on a thread of its own, and returns their results in that order.
///
/// The threads wait for each other before the first begins, so that what they do really meets. Where no more threads can be started fewer take part, the calling
/// one among them.
package func raceThreads<Outcome: Sendable>(count: Int, _ body: @escaping @Sendable (Int) -> Outcome) -> [Outcome] {
    let race = ThreadRace(body)
    var threads: [pthread_t] = []
    while threads.count < count {
        var thread = pthread_t()
        // The thread takes over the reference that `passRetained` leaves.
        let argument = unsafe Unmanaged<Race>.passRetained(race).toOpaque()
        let result = unsafe pthread_create(&thread, nil, { argument in
            guard let argument = unsafe argument else { return nil }
            unsafe Unmanaged<Race>.fromOpaque(argument).takeRetainedValue().runOne()
            return nil
        }, argument)
        guard result == 0 else {
            unsafe Unmanaged<Race>.fromOpaque(argument).release()
            break
        }
        threads.append(thread)
    }
    let isShort = threads.count < count
    race.begin(count: threads.count + (isShort ? 1 : 0))
    if isShort { race.runOne() }
    for thread in threads { pthread_join(thread, nil) }
    return race.outcomes
}

/// What a thread, whose start routine cannot be generic, knows of a race.
private class Race {
    func runOne() { preconditionFailure("a race has a body") }
}

private final class ThreadRace<Outcome: Sendable>: Race {
    private let body: @Sendable (Int) -> Outcome
    /// How many take part; as long as that is not known nobody begins.
    private let count = Atomic<Int>(Int.max)
    private let arrived = Atomic<Int>(0)
    private let finished = Mutex<[(index: Int, outcome: Outcome)]>([])

    init(_ body: @escaping @Sendable (Int) -> Outcome) { self.body = body }

    func begin(count: Int) { self.count.store(count, ordering: .releasing) }

    var outcomes: [Outcome] {
        finished.withLock { $0 }.sorted { $0.index < $1.index }.map(\.outcome)
    }

    override func runOne() {
        let index = arrived.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
        while arrived.load(ordering: .acquiring) < count.load(ordering: .acquiring) { sched_yield() }
        let outcome = body(index)
        finished.withLock { $0.append((index, outcome)) }
    }
}
