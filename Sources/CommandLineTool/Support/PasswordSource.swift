import Glibc
import Sealing

/// Where passwords and keys come from. They go into locked memory at once and are never text.
enum PasswordSource {
    /// More is no password.
    static let byteCountMax = 4096

    /// The file's bytes, without one newline at their end.
    static func file(_ path: String, console: Console) throws(Failure) -> SecretBytes {
        var bytes = try SecretFile.read(path, byteCountMax: byteCountMax, console: console)
        defer { bytes.wipe() }
        return try secret(&bytes, from: path)
    }

    /// What a command of the shell prints, without one newline at its end. It may ask at the terminal.
    static func command(_ command: String) throws(Failure) -> SecretBytes {
        let program = ExternalProgram(
            arguments: ["/bin/sh", "-c", command], input: isatty(STDIN_FILENO) == 1 ? .inherited : .nothing,
            output: .captured(byteCountMax: byteCountMax))
        guard var ending = try program.run() else { throw Failure("/bin/sh: there is no such program; use --password-file") }
        defer { ending.output.wipe() }
        guard ending.status == 0 else {
            throw Failure("the password command ended with exit status \(ending.status); run it by hand to see why: \(command)")
        }
        guard ending.output.count <= byteCountMax else { throw Failure("the password command printed more than \(byteCountMax) bytes: \(command)") }
        return try secret(&ending.output, from: "the password command")
    }

    /// Takes `bytes` over and wipes them.
    static func secret(_ bytes: inout [UInt8], from origin: String) throws(Failure) -> SecretBytes {
        if bytes.last == 0x0A { bytes.removeLast() }
        guard !bytes.isEmpty else { throw Failure("\(origin): the password is empty; put one there") }
        return .moving(&bytes)
    }
}
