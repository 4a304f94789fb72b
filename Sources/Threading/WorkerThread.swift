import CLinux
import Glibc

/// A plain thread that must be joined. Blocking calls belong here, not on the cooperative pool.
@safe
package final class WorkerThread {
    private var thread: pthread_t?

    private final class Box {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
    }

    /// Starts `body` on a thread of that name (15 characters are shown). Signals stay with the threads that want them.
    package init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let box = unsafe Unmanaged.passRetained(Box(String(name.prefix(15)), body)).toOpaque()
        var started = pthread_t()
        var signals = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&signals)
        unsafe pthread_sigmask(SIG_SETMASK, &signals, &before)
        let result = unsafe pthread_create(
            &started, nil,
            { argument in
                // The box was retained for this thread alone.
                let box = unsafe Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
                unsafe holdfast_name_thread(box.name)
                box.body()
                return nil
            }, box)
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        guard result == 0 else { fatalError("no thread can be started: error \(result)") }
        thread = started
    }

    /// Returns when the body has.
    package func join() {
        guard let thread else { return }
        pthread_join(thread, nil)
        self.thread = nil
    }

    deinit { precondition(thread == nil, "a thread was started and never joined") }
}

/// How many cores this process may run on.
package func usableCoreCount() -> Int { Int(holdfast_usable_cores()) }

/// Runs `body` on `count` threads at once, with the thread's number, and returns when all have.
package func onThreads(_ count: Int, _ name: String, _ body: @escaping @Sendable (Int) -> Void) {
    let threads = (0..<count).map { number in WorkerThread("\(name) \(number)") { body(number) } }
    for thread in threads { thread.join() }
}
