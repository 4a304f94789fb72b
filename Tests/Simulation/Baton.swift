import Glibc
import Synchronization
import TestSupport
import Threading

/// The scheduler of a simulation: of all threads the one that has the baton runs, and a seed decides who gets it next.
///
/// Everything else of a simulation is touched only by the thread with the baton. That is what makes its classes `Sendable` without locks.
final class Baton: ThreadScheduler, @unchecked Sendable {
    /// How often the baton changes hands, which differs from seed to seed: some races need many switches, others few at the right places.
    struct Habit {
        /// Of a thousand storage calls, after how many the caller goes on at once.
        var stickiness: UInt64 = 0
        /// One in so many monitors that are entered lets others go first.
        var monitorRate: UInt64 = 64
        /// Threads have priorities that rarely change, instead of equal chances.
        var hasPriorities = false
    }

    @safe
    private final class Thread: @unchecked Sendable {
        let semaphore: UnsafeMutablePointer<sem_t>
        var isReady = true
        var hasEnded = false
        var monitor: ObjectIdentifier?
        /// The thread whose end is waited for.
        var joined: Int?
        /// The decision at which it wakes up.
        var wakesAt: Int?
        var priority: UInt64 = 0

        init() {
            unsafe semaphore = .allocate(capacity: 1)
            unsafe semaphore.initialize(to: sem_t())
            unsafe sem_init(semaphore, 0, 0)
        }

        deinit {
            unsafe sem_destroy(semaphore)
            unsafe semaphore.deallocate()
        }
    }

    private var generator = SeededGenerator(seed: 0)
    private var habit = Habit()
    private var threads: [Thread] = []
    /// Those that are made and have not begun: they look themselves up before they have the baton.
    private let starting = Mutex<[Int: Thread]>([:])
    private var alive: [Int] = []
    private var running = 0
    private var isAtomic = false
    private var waitingCount = 0
    /// Decisions so far: the time by which sleepers are woken.
    private(set) var decisions = 0
    private(set) var switchCount = 0

    /// Begins anew, with the calling thread as the only one.
    func reset(seed: UInt64, _ habit: Habit) {
        precondition(alive.count <= 1, "the threads of the run before have ended")
        generator = SeededGenerator(seed: seed)
        self.habit = habit
        threads = [Thread()]
        (alive, running, waitingCount, decisions, switchCount, isAtomic) = ([0], 0, 0, 0, 0, false)
    }

    // MARK: What simulated clients do

    /// A storage call: others may go first.
    func step() {
        guard !isAtomic else { return }
        decisions += 1
        if generator.next() % 1000 < habit.stickiness { return }
        if habit.hasPriorities, generator.next() % 100 == 0 { threads[running].priority = generator.next() >> 8 }
        handOver()
    }

    /// Returns after so many decisions of others, or earlier if nobody else can go on.
    func sleep(_ count: Int) {
        threads[running].wakesAt = decisions + count
        block()
    }

    /// Nobody else runs until `body` has returned.
    func uninterrupted<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        let before = isAtomic
        isAtomic = true
        defer { isAtomic = before }
        return try body()
    }

    // MARK: ThreadScheduler

    func start() -> Int {
        let thread = Thread()
        thread.priority = generator.next()
        threads.append(thread)
        let number = threads.count - 1
        alive.append(number)
        starting.withLock { $0[number] = thread }
        return number
    }

    func begin(_ thread: Int) {
        guard let thread = starting.withLock({ $0.removeValue(forKey: thread) }) else { preconditionFailure("a thread begins once") }
        waitForBaton(thread)
    }

    func end(_ thread: Int) {
        threads[thread].hasEnded = true
        threads[thread].isReady = false
        alive.removeAll { $0 == thread }
        for other in alive where threads[other].joined == thread { (threads[other].joined, threads[other].isReady) = (nil, true) }
        pickNext()
        unsafe sem_post(threads[running].semaphore)
    }

    func join(_ thread: Int) {
        guard !threads[thread].hasEnded else { return }
        threads[running].joined = thread
        block()
    }

    func wait(for monitor: ObjectIdentifier) {
        precondition(!isAtomic, "nobody could end the waiting")
        threads[running].monitor = monitor
        waitingCount += 1
        block()
    }

    func signal(_ monitor: ObjectIdentifier) {
        guard waitingCount > 0 else { return }
        for thread in alive where threads[thread].monitor == monitor {
            (threads[thread].monitor, threads[thread].isReady) = (nil, true)
            waitingCount -= 1
        }
    }

    func pass() {
        guard !isAtomic, generator.next() % habit.monitorRate == 0 else { return }
        handOver()
    }

    // MARK: How

    private func block() {
        threads[running].isReady = false
        handOver()
    }

    private func handOver() {
        let own = threads[running]
        pickNext()
        let next = threads[running]
        guard next !== own else { return }
        switchCount += 1
        // From here on the other one runs, and nothing of the scheduler is to be touched.
        unsafe sem_post(next.semaphore)
        waitForBaton(own)
    }

    private func waitForBaton(_ thread: Thread) {
        while unsafe sem_wait(thread.semaphore) != 0 {}
    }

    private func pickNext() {
        decisions += 1
        for thread in alive { if let time = threads[thread].wakesAt, time <= decisions { wake(thread) } }
        var ready = alive.filter { threads[$0].isReady }
        if ready.isEmpty, let first = alive.filter({ threads[$0].wakesAt != nil }).min(by: { threads[$0].wakesAt! < threads[$1].wakesAt! }) {
            decisions = threads[first].wakesAt!
            wake(first)
            ready = [first]
        }
        guard !ready.isEmpty else { Violation.report("all threads wait for each other") }
        running =
            habit.hasPriorities
            ? ready.max { threads[$0].priority < threads[$1].priority }!
            : ready[Int(generator.next() % UInt64(ready.count))]
    }

    private func wake(_ thread: Int) { (threads[thread].wakesAt, threads[thread].isReady) = (nil, true) }
}
