import CLinux
import Glibc

/// Why a thread could not be started: the kernel has no room for more, or lets this user have no more.
package struct ThreadError: Error, CustomStringConvertible {
    package let number: Int32

    package var description: String {
        let reason = unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
        return "no more threads can be started (\(reason)); let this user have more processes, as with “ulimit -u”, or more memory"
    }
}

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
    ///
    /// - Throws: where the machine has no room for another; `body` never runs then.
    package init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(ThreadError) {
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
        guard result == 0 else {
            // A scheduler would wait for ever for a thread that was announced.
            precondition(turn == nil, "a simulation has room for its threads")
            unsafe Unmanaged<Box>.fromOpaque(box).release()
            throw ThreadError(number: result)
        }
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

/// Runs `body` with each number below `count`, on as many threads at once, and returns when all have ended.
///
/// Where no more threads can be started, the calling one does what is left, one number after another: a body may wait for what another one has begun, but not for one to begin.
package func onThreads(_ count: Int, _ name: String, _ body: @escaping @Sendable (Int) -> Void) {
    var threads: [WorkerThread] = []
    while threads.count < count {
        let number = threads.count
        do throws(ThreadError) { threads.append(try WorkerThread("\(name) \(number)") { body(number) }) } catch { break }
    }
    for number in threads.count..<max(count, threads.count) { body(number) }
    for thread in threads { thread.join() }
}
