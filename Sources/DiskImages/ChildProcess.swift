import Glibc
import Synchronization

/// A program that runs in a process group of its own, and does not outlive its owner.
final class ChildProcess: Sendable {
    enum Ending: Equatable {
        case status(Int32)
        case signal(Int32)
    }

    private enum State {
        case running
        case ended(Ending)
    }

    /// How long a program may take to end after it was asked to.
    static let graceMilliseconds = 2000

    private let processID: pid_t
    private let state = Mutex<State>(.running)

    init(_ spawn: ChildSpawn) throws(SystemError) { processID = try spawn.start() }

    deinit { cancel() }

    /// Waits for the program's end.
    func wait() throws(SystemError) -> Ending {
        // Outside the lock, so that `cancel` can end the waiting. The process stays a zombie until `reap`; if `cancel` reaps it
        // meanwhile, there is no such child any more, and its ending is known.
        do throws(SystemError) { try observeEnd(options: 0) } catch { if error.number != ECHILD { throw error } }
        return try state.withLock { (state) throws(SystemError) in try reap(&state) }
    }

    /// Waits for the program's end. What it did instead of succeeding, as “ended with exit status 1”; nil if it succeeded.
    func failure(_ name: String) throws(ImageError) -> String? {
        let ending: Ending
        do throws(SystemError) { ending = try wait() } catch { throw error.image(name, "wait") }
        return switch ending {
        case .status(0): nil
        case .status(let status): "ended with exit status \(status)"
        case .signal(let signal): "was ended by signal \(signal)"
        }
    }

    /// Ends the program if it still runs, and whatever it started in its group.
    func cancel() {
        state.withLock { state in
            guard case .running = state else { return }
            kill(-processID, SIGTERM)
            var waitedMilliseconds = 0
            while waitedMilliseconds < ChildProcess.graceMilliseconds, !hasEnded() {
                usleep(5000)
                waitedMilliseconds += 5
            }
            // The group's number cannot be given to others while its first process waits to be reaped.
            kill(-processID, SIGKILL)
            do throws(SystemError) { _ = try reap(&state) } catch {
                // Somebody else reaped it, against the rules of the process; it has ended all the same.
                state = .ended(.signal(SIGKILL))
            }
        }
    }

    private func hasEnded() -> Bool {
        do throws(SystemError) { return try observeEnd(options: WNOHANG) } catch { return true }
    }

    /// Whether the process has ended, without reaping it.
    @discardableResult
    private func observeEnd(options: Int32) throws(SystemError) -> Bool {
        while true {
            var information = unsafe siginfo_t()
            if unsafe waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT | options) == 0 {
                // WNOHANG leaves the signal number zero when there is nothing to tell.
                return unsafe information.si_signo != 0
            }
            let error = SystemError.last
            if error.number != EINTR { throw error }
        }
    }

    private func reap(_ state: inout State) throws(SystemError) -> Ending {
        if case .ended(let ending) = state { return ending }
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) < 0 {
            let error = SystemError.last
            if error.number != EINTR { throw error }
        }
        // wait(2): the low seven bits are the signal, the second byte the exit status.
        let signal = status & 0x7f
        let ending: Ending = signal == 0 ? .status(status >> 8 & 0xff) : .signal(signal)
        state = .ended(ending)
        return ending
    }
}
