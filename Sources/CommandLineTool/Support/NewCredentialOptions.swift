import ArgumentParser
import Sealing

/// The password or key that a new slot is to have.
struct NewCredentialOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read the new password from a file.", valueName: "path"), completion: .file())
    var newPasswordFile: String?

    @Option(help: ArgumentHelp("Take the new password from what a shell command prints.", valueName: "command"))
    var newPasswordCommand: String?

    @Option(help: ArgumentHelp("Use a key file; it is made if it does not exist.", valueName: "path"), completion: .file())
    var newKeyFile: String?

    @Option(help: "How hard the new password is to guess: moderate or sensitive.")
    var cost = CostOption.moderate

    func validate() throws {
        guard [newPasswordFile, newPasswordCommand, newKeyFile].count(where: { $0 != nil }) <= 1 else {
            throw ValidationError("Give only one of --new-password-file, --new-password-command and --new-key-file.")
        }
    }

    /// Asks twice at the terminal if nothing was given.
    func credential(_ console: Console) throws(Failure) -> Credential {
        if let newKeyFile { return .keyFile(try KeyFiles.readOrCreate(newKeyFile, console: console)) }
        if let newPasswordFile { return .password(try PasswordSource.file(newPasswordFile, console: console)) }
        if let newPasswordCommand { return .password(try PasswordSource.command(newPasswordCommand)) }
        guard TerminalPrompt.isPossible else {
            throw Failure("there is no new password and no terminal to ask at; give --new-password-file, --new-password-command or --new-key-file")
        }
        return .password(try TerminalPrompt.password("New password: ", again: true))
    }
}
