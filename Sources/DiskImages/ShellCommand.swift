import Glibc
import Synchronization

/// A command line of the shell that is run for what it does. What it prints goes to our standard error, and its standard input is empty.
public final class ShellCommand: Sendable {
    private enum State {
        case waiting
        case running(ChildProcess)
        case cancelled
    }

    private let command: String
    private let state = Mutex(State.waiting)

    public init(_ command: String) { self.command = command }

    /// Runs it to its end; to be called once.
    ///
    /// - Parameter variables: `NAME=value`, in its environment.
    /// - Throws: `.incomplete` unless it ended with exit status 0.
    public func run(variables: [String] = []) throws(ImageError) {
        let spawn = ChildSpawn(program: "/bin/sh", arguments: ["/bin/sh", "-c", command], output: STDERR_FILENO, variables: variables)
        let process: ChildProcess? = try state.withLock { (state) throws(ImageError) in
            if case .cancelled = state { return nil }
            do throws(SystemError) {
                let process = try ChildProcess(spawn)
                state = .running(process)
                return process
            } catch { throw error.image("/bin/sh", "start") }
        }
        let reason = try process?.failure(command)
        if case .cancelled = state.withLock({ $0 }) { throw .incomplete(source: command, reason: "the command was stopped") }
        if let reason { throw .incomplete(source: command, reason: "the command \(reason)") }
    }

    /// Ends it and what it started, if need be by force after two seconds, or keeps it from being started.
    public func cancel() {
        let state = state.withLock { state in
            defer { state = .cancelled }
            return state
        }
        if case .running(let process) = state { process.cancel() }
    }
}
