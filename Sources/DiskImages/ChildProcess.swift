import CLinux
import Glibc
import Synchronization

/// A program that runs in a process group of its own, with its standard output on a pipe. It does not outlive its owner.
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

    /// The reading side of the pipe.
    let output: FileDescriptor
    private let processID: pid_t
    private let state = Mutex<State>(.running)

    /// Its standard input is empty and its error output ours: in a group of its own it could not read from the terminal.
    ///
    /// - Parameter inheriting: a descriptor that it gets, and as which number.
    init(arguments: [String], inheriting: (number: Int32, as: Int32)? = nil) throws(SystemError) {
        var ends: [Int32] = [0, 0]
        guard unsafe holdfast_pipe(&ends) == 0 else { throw .last }
        output = FileDescriptor(taking: ends[0])
        let input = FileDescriptor(taking: ends[1])
        processID = try ChildProcess.spawn(arguments, writingTo: input, inheriting)
    }

    deinit { cancel() }

    private static func spawn(_ arguments: [String], writingTo pipe: borrowing FileDescriptor, _ inherited: (number: Int32, as: Int32)?) throws(SystemError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, pipe.number, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)

        // Last, so that nothing takes its number again.
        if let inherited { unsafe posix_spawn_file_actions_adddup2(&actions, inherited.number, inherited.as) }

        // Signals that we ignore or block, such as SIGPIPE, have their usual meaning in the program.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        var blocked = sigset_t()
        unsafe sigemptyset(&blocked)
        unsafe sigemptyset(&defaults)
        for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD] { unsafe sigaddset(&defaults, signal) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setsigmask(&attributes, &blocked)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { word in unsafe strdup(word) } + [nil]
        defer { for unsafe word in unsafe words { unsafe free(word) } }
        var processID: pid_t = 0
        let result = unsafe posix_spawnp(&processID, arguments[0], &actions, &attributes, &words, environ)
        guard result == 0 else { throw SystemError(number: result) }
        return processID
    }

    /// Waits for the program's end.
    func wait() throws(SystemError) -> Ending {
        // Outside the lock, so that `cancel` can end the waiting. The process stays a zombie until `reap`; if `cancel` reaps it
        // meanwhile, there is no such child any more, and its ending is known.
        do throws(SystemError) { try observeEnd(options: 0) } catch { if error.number != ECHILD { throw error } }
        return try state.withLock { (state) throws(SystemError) in try reap(&state) }
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
