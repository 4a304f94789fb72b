import ArgumentParser
import ImageRepository
import LocalStorage
import Sealing
import Storage

/// Which repository, and what opens it. May stand before or after the command.
struct RepositoryOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The repository: a folder, or a file:// URL. [HOLDFAST_REPOSITORY]", valueName: "url"), completion: .directory)
    var repository: String?

    @Option(
        help: ArgumentHelp("Read the password from a file; one newline at its end is ignored. [HOLDFAST_PASSWORD_FILE]", valueName: "path"),
        completion: .file())
    var passwordFile: String?

    @Option(help: ArgumentHelp("Take the password from what a shell command prints.", valueName: "command"))
    var passwordCommand: String?

    @Option(help: ArgumentHelp("Use a key file instead of a password. [HOLDFAST_KEY_FILE]", valueName: "path"), completion: .file())
    var keyFile: String?

    @Flag(help: "Ask for the recovery key, as words or as a line, instead of a password.")
    var recovery = false

    func validate() throws {
        let given = [passwordFile != nil, passwordCommand != nil, keyFile != nil, recovery].count { $0 }
        guard given <= 1 else {
            throw ValidationError("Give only one of --password-file, --password-command, --key-file and --recovery.")
        }
    }

    func storage() throws(Failure) -> LocalStorage {
        guard let text = repository ?? EnvironmentVariable.text("HOLDFAST_REPOSITORY") else {
            throw Failure("no repository is named; give --repository or set HOLDFAST_REPOSITORY", status: .usage)
        }
        switch try Location(parsing: text) {
        case .folder(let path): return LocalStorage(path: path)
        }
    }

    /// Opens the repository, asking for the password if nothing else says it.
    ///
    /// - Parameter beforeDerivation: called when a password or key is at hand, each time, and before it is tried.
    func open(_ console: Console, beforeDerivation: () -> Void = {}) throws(Failure) -> Repository {
        let storage = try storage()
        // Before anybody has to type a password.
        try repositoryCall { () throws(RepositoryError) in try Repository.probe(storage) }
        let environment = ThisMachine.environment(console)
        let credentials = CredentialSource(self)
        var attempt = 1
        while true {
            let credential = try credentials.existing(console)
            beforeDerivation()
            do throws(RepositoryError) {
                let repository = try Repository.open(on: storage, credential: credential, environment: environment)
                for warning in repository.warnings { console.warn(warning) }
                return repository
            } catch {
                guard case .wrongCredential = error, credentials.asks, attempt < 3 else { throw Failure(error) }
                attempt += 1
                console.error("That password opens no slot of this repository.")
            }
        }
    }
}
