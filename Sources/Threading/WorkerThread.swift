import CLinux
import Glibc

/// A plain thread that must be joined. Blocking calls belong here, not on the cooperative pool.
@safe
package final class WorkerThread {
    private var thread: pthread_t?
    private let turn: Turn?

    /// The thread's number with a scheduler.
    private struct Turn {
        let scheduler: any ThreadScheduler
        let thread: Int
    }

    private final class Box {
        let name: String
        let turn: Turn?
        let body: @Sendable () -> Void
        init(_ name: String, _ turn: Turn?, _ body: @escaping @Sendable () -> Void) { (self.name, self.turn, self.body) = (name, turn, body) }

        func run() {
            turn.map { $0.scheduler.begin($0.thread) }
            body()
            turn.map { $0.scheduler.end($0.thread) }
        }
    }

    /// Starts `body` on a thread of that name (15 characters are shown). Signals stay with the threads that want them.
    package init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        turn = unsafe ThreadScheduling.scheduler.map { Turn(scheduler: $0, thread: $0.start()) }
        let box = unsafe Unmanaged.passRetained(Box(String(name.prefix(15)), turn, body)).toOpaque()
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
                box.run()
                return nil
            }, box)
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        guard result == 0 else { fatalError("no thread can be started: error \(result)") }
        thread = started
        turn?.scheduler.pass()
    }

    /// Returns when the body has.
    package func join() {
        guard let thread else { return }
        turn.map { $0.scheduler.join($0.thread) }
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
