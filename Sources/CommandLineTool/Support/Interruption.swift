import CLinux
import Glibc
import ImageRepository
import Synchronization

/// Ctrl-C and its relatives. A thread of its own waits for the signals, so that no code ever runs in a signal handler.
enum Interruption {
    /// What the first signal does while an operation runs; without one it ends the program.
    struct Response: Sendable {
        var message: String
        var stop: @Sendable () -> Void
    }

    private struct State {
        var response: Response?
        var hasFired = false
    }
    private static let state = Mutex(State())

    private static var signals: sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&signals, signal) }
        return signals
    }

    /// To be called before any other thread is started: they inherit the mask.
    static func watch() {
        // Broken pipes are results of write(2) here.
        signal(SIGPIPE, SIG_IGN)
        var blocked = signals
        unsafe pthread_sigmask(SIG_BLOCK, &blocked, nil)
        let watcher = BackgroundThread {
            var awaited = signals
            while true {
                var number: Int32 = 0
                if unsafe sigwait(&awaited, &number) == 0 { fire() }
            }
        }
        // Where there is no room for the thread they end the program at once, which the repository withstands.
        if watcher == nil { unsafe pthread_sigmask(SIG_UNBLOCK, &blocked, nil) }
    }

    /// Runs `body` with an answer to the first signal, also to one that an outer `body` had before and that still holds.
    static func responding<Result, E: Error>(with response: Response, _ body: () throws(E) -> Result) throws(E) -> Result {
        let outer = state.withLock { state in
            defer { state = State(response: response, hasFired: state.hasFired) }
            return state
        }
        if outer.hasFired { response.stop() }
        defer { state.withLock { $0 = State(response: outer.response, hasFired: outer.response != nil && $0.hasFired) } }
        return try body()
    }

    private static func fire() {
        let response = state.withLock { state -> Response? in
            defer { state.hasFired = true }
            return state.hasFired ? nil : state.response
        }
        guard let response else {
            TerminalPrompt.restoreTerminal()
            // Nothing is flushed and nothing cleaned up: the repository withstands that at any moment.
            _exit(ExitStatus.interrupted.rawValue)
        }
        // The terminal has just shown ^C at the end of some line.
        let start = isatty(STDERR_FILENO) == 1 ? "\n" : ""
        _ = SystemCall.writeAll(Array("\(start)holdfast: \(response.message)\n".utf8), to: STDERR_FILENO)
        response.stop()
    }
}
