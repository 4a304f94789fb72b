import Glibc
import RepositoryFormat
import Synchronization

/// Everything the tool says: results on standard output, all else on standard error, in words or as one JSON object a line.
final class Console: Sendable {
    enum Format { case text, json }

    let format: Format
    let isQuiet: Bool
    /// Whether standard error is a terminal, on which a line can be redrawn.
    let isInteractive: Bool

    private struct State {
        /// The line that is redrawn, if one stands there.
        var hasStatus = false
        /// Why standard output took no more; its reader may also simply have seen enough.
        var outputError: Int32?
    }
    private let state = Mutex(State())

    init(format: Format, isQuiet: Bool) {
        self.format = format
        self.isQuiet = isQuiet
        isInteractive = isatty(STDERR_FILENO) == 1
    }

    /// One line of a result, in text format.
    func print(_ line: String = "") {
        if format == .text { output(Printable.text(line) + "\n") }
    }

    func print(_ lines: [String]) {
        if format == .text, !lines.isEmpty { output(lines.map { Printable.text($0) + "\n" }.joined()) }
    }

    /// One object, in JSON format.
    func print(json: JSONValue) {
        if format == .json { output(json.text + "\n") }
    }

    /// What a person may like to know meanwhile; nothing in JSON format or when told to be quiet.
    func note(_ line: String) {
        if format == .text, !isQuiet { error(line) }
    }

    func warn(_ message: String) {
        if format == .json { print(json: ["type": "warning", "message": .string(message)]) }
        error("holdfast: warning: \(message)")
    }

    func report(_ failure: Failure) {
        if format == .json {
            print(json: ["type": "error", "message": .string(failure.message), "status": .count(failure.status.rawValue)])
        }
        error("holdfast: \(failure.message)")
    }

    /// One line on standard error, whatever the format.
    func error(_ line: String) {
        state.withLock { state in
            erase(&state)
            _ = SystemCall.writeAll(Array((Printable.text(line) + "\n").utf8), to: STDERR_FILENO)
        }
    }

    /// Redraws the status line; nil removes it.
    func status(_ line: String?) {
        guard isInteractive else { return }
        state.withLock { state in
            erase(&state)
            guard let line else { return }
            _ = SystemCall.writeAll(Array(line.utf8), to: STDERR_FILENO)
            state.hasStatus = true
        }
    }

    /// Why results were lost, if they were. That a reader such as `head` stopped reading is no loss.
    var outputFailure: Failure? {
        guard let number = state.withLock({ $0.outputError }), number != EPIPE else { return nil }
        return Failure("standard output: writing failed (\(SystemCall.reason(number))); what was printed is not complete")
    }

    private func output(_ text: String) {
        state.withLock { state in
            erase(&state)
            guard state.outputError == nil else { return }
            let result = SystemCall.writeAll(Array(text.utf8), to: STDOUT_FILENO)
            if result != 0 { state.outputError = result }
        }
    }

    private func erase(_ state: inout State) {
        guard state.hasStatus else { return }
        // Back to the line's start; clear to its end.
        _ = SystemCall.writeAll(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO)
        state.hasStatus = false
    }
}
