import ArgumentParser
import CLinux
import DiskImages
import Glibc

/// The process: set up before anything else happens, and its end.
enum Program {
    static func run() -> Never {
        if CommandLine.arguments.count > 2, CommandLine.arguments[1] == FreezeGuardian.argument, let milliseconds = UInt64(CommandLine.arguments[2]) {
            FreezeGuardian.run(milliseconds: milliseconds)
        }
        openStandardDescriptors()
        // Keys must not end up in a core file, nor be read by another process of the same user.
        _ = holdfast_forbid_core_dumps()
        forbidBacktraces()
        holdfast_keep_large_blocks()
        EnvironmentVariable.hideSecrets()
        Interruption.watch()
        do {
            try refuseOtherEncodings()
            var command = try Holdfast.parsed(Array(CommandLine.arguments.dropFirst()))
            try command.run()
        } catch {
            // Usage errors, help, version, and the exit statuses of commands.
            Holdfast.exit(withError: error)
        }
        exit(ExitStatus.done.rawValue)
    }

    /// Who starts the program with one of them closed would else have it stand for the next file that is opened.
    private static func openStandardDescriptors() {
        while true {
            let descriptor = unsafe open("/dev/null", O_RDWR)
            if descriptor > STDERR_FILENO { close(descriptor) }
            if descriptor < 0 || descriptor > STDERR_FILENO { return }
        }
    }

    /// The runtime replaces what is not UTF-8: a tag or a path would be taken for another.
    private static func refuseOtherEncodings() throws {
        for index in 1..<max(1, CommandLine.arguments.count) {
            guard let argument = unsafe CommandLine.unsafeArgv[index], unsafe String(validatingCString: argument) == nil else { continue }
            throw ValidationError("“\(Printable.text(CommandLine.arguments[index]))” is not UTF-8; rename the file, or give the name in UTF-8.")
        }
    }

    /// The runtime prints registers and memory around them when a program crashes; a key could be among them.
    private static func forbidBacktraces() {
        for number in [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGTRAP] { signal(number, SIG_DFL) }
    }
}
