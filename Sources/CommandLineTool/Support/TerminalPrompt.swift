import CLinux
import Glibc
import Sealing
import Synchronization

/// Questions to the person at the terminal, whatever standard input and output are connected to.
enum TerminalPrompt {
    /// Longer lines are cut by the terminal itself.
    private static let lineByteCountMax = 4096

    private struct Settings: @unchecked Sendable {
        var descriptor: Int32
        var before: termios
    }
    /// What must be put back if the program ends while nothing is echoed.
    private static let hidden = Mutex<Settings?>(nil)

    static var isPossible: Bool {
        let terminal = open()
        if terminal >= 0 { _ = close(terminal) }
        return terminal >= 0
    }

    /// Asks for a password without showing it; with `again`, twice.
    static func password(_ question: String, again: Bool) throws(Failure) -> SecretBytes {
        var first = try line(question, isHidden: true)
        defer { first.wipe() }
        guard !first.isEmpty else { throw Failure("the password is empty; type one") }
        if again {
            var second = try line("Again: ", isHidden: true)
            defer { second.wipe() }
            guard first == second else { throw Failure("the two passwords differ; nothing was changed") }
        }
        return .moving(&first)
    }

    /// Asks until the answer is `yes` or something else.
    static func confirm(_ question: String) throws(Failure) -> Bool {
        try line("\(question) Type “yes” to go on: ", isHidden: false) == Array("yes".utf8)
    }

    /// One line as typed, without its end. The caller wipes it if it is secret.
    static func line(_ question: String, isHidden: Bool) throws(Failure) -> [UInt8] {
        let terminal = open()
        guard terminal >= 0 else { throw Failure("there is no terminal to ask at") }
        defer { _ = close(terminal) }
        if isHidden { hideEcho(terminal) }
        defer { if isHidden { restoreTerminal() } }
        _ = SystemCall.writeAll(Array(Printable.text(question).utf8), to: terminal)

        var text = [UInt8](repeating: 0, count: lineByteCountMax)
        defer { text.wipe() }
        let byteCount = unsafe text.withUnsafeMutableBytes { memory in
            var result: Int
            repeat { result = unsafe read(terminal, memory.baseAddress, memory.count) } while result < 0 && errno == EINTR
            return result
        }
        if isHidden { _ = SystemCall.writeAll([0x0A], to: terminal) }
        guard byteCount > 0 else { throw Failure("nothing was typed") }
        let end = text[byteCount - 1] == 0x0A ? byteCount - 1 : byteCount
        return Array(text[..<end])
    }

    /// Undoes what a prompt did to the terminal, if one is open.
    static func restoreTerminal() {
        hidden.withLock { settings in
            guard var saved = settings else { return }
            _ = unsafe tcsetattr(saved.descriptor, TCSAFLUSH, &saved.before)
            settings = nil
        }
    }

    private static func hideEcho(_ terminal: Int32) {
        var before = termios()
        guard unsafe tcgetattr(terminal, &before) == 0 else { return }
        var without = before
        without.c_lflag &= ~tcflag_t(ECHO)
        hidden.withLock { $0 = Settings(descriptor: terminal, before: before) }
        _ = unsafe tcsetattr(terminal, TCSAFLUSH, &without)
    }

    private static func open() -> Int32 { unsafe holdfast_open("/dev/tty", O_RDWR | O_CLOEXEC, 0) }
}
