import Glibc

/// State that several threads change, each waiting until the state suits it.
///
/// Like `Mutex`, with a condition variable. Corresponds to `pthread_mutex_lock(3)`, `pthread_cond_wait(3)` and
/// `pthread_cond_broadcast(3)`.
@safe
package final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    /// Instead of mutex and condition, in a simulation.
    private let scheduler: (any ThreadScheduler)?
    /// Whether a thread is inside, and what those wait for who want to be; used with a scheduler only.
    private var isHeld = false
    private let entrance: Entrance?

    private final class Entrance: Sendable {}

    package init(_ state: sending State) {
        self.state = state
        scheduler = unsafe ThreadScheduling.scheduler
        entrance = scheduler == nil ? nil : Entrance()
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Looks at or changes the state, and lets waiting threads look again.
    package func withLock<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure) -> Result {
        lock()
        defer { unlock() }
        return try body(&state)
    }

    /// Waits until `body` returns a value; it is asked again after each change.
    package func wait<Result, Failure: Error>(until body: (inout State) throws(Failure) -> Result?) throws(Failure) -> Result {
        lock()
        defer { unlock() }
        while true {
            if let result = try body(&state) { return result }
            waitForChange()
        }
    }

    private func lock() {
        guard let scheduler, let entrance else {
            unsafe pthread_mutex_lock(mutex)
            return
        }
        scheduler.pass()
        while isHeld { scheduler.wait(for: ObjectIdentifier(entrance)) }
        isHeld = true
    }

    private func unlock() {
        guard let scheduler, let entrance else {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
            return
        }
        isHeld = false
        scheduler.signal(ObjectIdentifier(self))
        scheduler.signal(ObjectIdentifier(entrance))
    }

    private func waitForChange() {
        guard let scheduler, let entrance else {
            unsafe pthread_cond_wait(condition, mutex)
            return
        }
        isHeld = false
        scheduler.signal(ObjectIdentifier(entrance))
        // Nobody changes anything before this thread waits: the turn is given up in here.
        scheduler.wait(for: ObjectIdentifier(self))
        while isHeld { scheduler.wait(for: ObjectIdentifier(entrance)) }
        isHeld = true
    }
}
