import CLinux
import Glibc
import Sealing

/// Another program, run to its end.
struct ExternalProgram {
    enum Input {
        case nothing
        /// Ours, so that it can ask at the terminal.
        case inherited
        /// At most what a pipe holds, 64 KiB. Wiped here, not where it came from.
        case bytes([UInt8])
    }

    enum Output {
        case inherited
        /// At most so many bytes; more is an error.
        case captured(byteCountMax: Int)
        /// Both standard output and standard error, for whoever wants to know why it failed; what is more is thrown away.
        case log
    }

    let arguments: [String]
    var input = Input.nothing
    var output = Output.log

    struct Ending {
        /// 128 + the signal if one ended it.
        var status: Int32
        /// Empty if inherited. The caller wipes it if it is secret.
        var output: [UInt8]
    }

    /// Waits for the program's end. The program is searched for in `PATH`.
    ///
    /// - Returns: nil if there is no such program.
    func run() throws(Failure) -> Ending? {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }

        var inputEnd: Int32 = -1
        defer { if inputEnd >= 0 { _ = close(inputEnd) } }
        switch input {
        case .inherited: break
        case .nothing: unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        case .bytes(var bytes):
            let ends = try pipe()
            precondition(bytes.count <= 4096, "fits into a pipe at once")
            _ = SystemCall.writeAll(bytes, to: ends.input)
            bytes.wipe()
            _ = close(ends.input)
            inputEnd = ends.output
            unsafe posix_spawn_file_actions_adddup2(&actions, inputEnd, STDIN_FILENO)
        }

        var outputEnds: (output: Int32, input: Int32)?
        defer { if let outputEnds { _ = close(outputEnds.output) } }
        if case .inherited = output {} else {
            let ends = try pipe()
            outputEnds = ends
            unsafe posix_spawn_file_actions_adddup2(&actions, ends.input, STDOUT_FILENO)
            if case .log = output { unsafe posix_spawn_file_actions_adddup2(&actions, ends.input, STDERR_FILENO) }
        }
        let process = try unsafe spawn(&actions)
        if let outputEnds { _ = close(outputEnds.input) }
        guard let process else { return nil }
        let captured = outputEnds.map { collect($0.output) } ?? []
        return Ending(status: wait(process), output: captured)
    }

    private func spawn(_ actions: inout posix_spawn_file_actions_t) throws(Failure) -> pid_t? {
        // Signals that we block or ignore have their usual meaning in the program.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        var blocked = sigset_t()
        unsafe sigemptyset(&defaults)
        unsafe sigemptyset(&blocked)
        unsafe sigaddset(&defaults, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setsigmask(&attributes, &blocked)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { for unsafe word in unsafe words { unsafe free(word) } }
        var process: pid_t = 0
        let result = unsafe posix_spawnp(&process, arguments[0], &actions, &attributes, &words, environ)
        if result == ENOENT { return nil }
        guard result == 0 else { throw Failure("\(arguments[0]): starting it failed (\(SystemCall.reason(result)))") }
        return process
    }

    /// In one array that never moves, because it may be secret. What does not fit is read and thrown away.
    private func collect(_ descriptor: Int32) -> [UInt8] {
        let byteCountMax = if case .captured(let byteCountMax) = output { byteCountMax + 1 } else { 1 << 16 }
        var bytes = [UInt8](repeating: 0, count: byteCountMax)
        let byteCount = SystemCall.readAll(into: &bytes, from: descriptor) ?? 0
        bytes.removeLast(byteCountMax - byteCount)
        var rest = [UInt8](repeating: 0, count: 4096)
        while let more = SystemCall.readAll(into: &rest, from: descriptor), more > 0 {}
        rest.wipe()
        return bytes
    }

    private func wait(_ process: pid_t) -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        // wait(2): the low seven bits are the signal, the second byte the exit status.
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    private func pipe() throws(Failure) -> (output: Int32, input: Int32) {
        var ends: [Int32] = [0, 0]
        guard unsafe holdfast_pipe(&ends) == 0 else { throw Failure("no pipe can be made (\(SystemCall.reason))") }
        return (ends[0], ends[1])
    }
}
