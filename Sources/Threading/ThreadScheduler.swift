/// Decides which thread runs next, where the kernel does not: in a simulation, whose seed then decides the whole run.
///
/// One thread at a time runs. It gives that up in `start`, `join`, `wait`, `end` and `pass`, and nowhere else: so a monitor under a scheduler needs no
/// lock of the kernel, and nothing may give up its turn within a `Mutex`.
package protocol ThreadScheduler: AnyObject, Sendable {
    /// Announces a thread that is about to be made, and returns its number.
    func start() -> Int

    /// The first call of a new thread: returns when its turn has come.
    func begin(_ thread: Int)

    /// The last call of a thread.
    func end(_ thread: Int)

    /// Returns when the thread has ended.
    func join(_ thread: Int)

    /// Returns some time after the monitor was signalled.
    func wait(for monitor: ObjectIdentifier)

    /// Lets all that wait for the monitor look again.
    func signal(_ monitor: ObjectIdentifier)

    /// Others may go first here.
    func pass()
}

/// The scheduler that threads and monitors take when they are made.
package enum ThreadScheduling {
    /// Nil in every program but a simulation, which sets it before its first thread and never again: that is what makes reading it safe.
    package nonisolated(unsafe) static var scheduler: (any ThreadScheduler)?
}
