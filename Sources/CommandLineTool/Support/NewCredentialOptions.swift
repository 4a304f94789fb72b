import ArgumentParser
import Glibc
import ImageRepository
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

    /// Runs `body` with the new password or key. A key file that was made for it goes again if `body` fails and the key opens nothing.
    func withCredential<Result>(
        for repository: Repository, _ console: Console, _ body: (Credential) throws(RepositoryError) -> Result
    ) throws(Failure) -> Result {
        guard let newKeyFile, !SecretFile.exists(newKeyFile) else {
            let credential = try credential(console)
            return try repositoryCall { () throws(RepositoryError) in try body(credential) }
        }
        let credential = Credential.keyFile(try KeyFiles.readOrCreate(newKeyFile, console: console))
        do throws(RepositoryError) { return try body(credential) } catch {
            // What failed may have failed after the slot was made, or without telling.
            if repository.opensNothing(credential) {
                unsafe unlink(newKeyFile)
                console.note("removed the key file \(newKeyFile) again: it opens nothing")
            }
            throw Failure(error)
        }
    }

    /// Asks twice at the terminal if nothing was given.
    private func credential(_ console: Console) throws(Failure) -> Credential {
        if let newKeyFile { return .keyFile(try KeyFiles.readOrCreate(newKeyFile, console: console)) }
        if let newPasswordFile { return .password(try PasswordSource.file(newPasswordFile, console: console)) }
        if let newPasswordCommand { return .password(try PasswordSource.command(newPasswordCommand)) }
        guard TerminalPrompt.isPossible else {
            throw Failure("there is no new password and no terminal to ask at; give --new-password-file, --new-password-command or --new-key-file")
        }
        return .password(try TerminalPrompt.password("New password: ", again: true))
    }
}
