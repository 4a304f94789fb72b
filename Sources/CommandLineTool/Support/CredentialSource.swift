import Sealing

/// What opens a repository, in the order in which it is looked for: options, then the environment, then the terminal.
struct CredentialSource {
    private enum Origin {
        case recovery
        case keyFile(String)
        case passwordFile(String)
        case passwordCommand(String)
        case passwordVariable
        case terminal
    }

    private let origin: Origin

    init(_ options: RepositoryOptions) {
        if options.recovery {
            origin = .recovery
        } else if let path = options.keyFile {
            origin = .keyFile(path)
        } else if let path = options.passwordFile {
            origin = .passwordFile(path)
        } else if let command = options.passwordCommand {
            origin = .passwordCommand(command)
        } else if let path = EnvironmentVariable.text("HOLDFAST_KEY_FILE") {
            origin = .keyFile(path)
        } else if let path = EnvironmentVariable.text("HOLDFAST_PASSWORD_FILE") {
            origin = .passwordFile(path)
        } else if EnvironmentVariable.hasPassword {
            origin = .passwordVariable
        } else {
            origin = .terminal
        }
    }

    /// Whether another try may have another result.
    var asks: Bool { if case .terminal = origin { true } else { false } }

    /// For a repository that exists.
    func existing(_ console: Console) throws(Failure) -> Credential {
        if case .recovery = origin { return .keyFile(try KeyFiles.recoveryKey(console)) }
        if case .keyFile(let path) = origin { return .keyFile(try KeyFiles.read(path, console: console)) }
        return try password(console, isNew: false)
    }

    /// For the first slot of a new repository. A key file that is not there yet is made.
    func new(_ console: Console) throws(Failure) -> Credential {
        switch origin {
        case .recovery: throw Failure("a recovery key opens a repository that exists; “init” makes one", status: .usage)
        case .keyFile(let path): return .keyFile(try KeyFiles.readOrCreate(path, console: console))
        default: return try password(console, isNew: true)
        }
    }

    private func password(_ console: Console, isNew: Bool) throws(Failure) -> Credential {
        switch origin {
        case .recovery, .keyFile: preconditionFailure("those are no passwords")
        case .passwordFile(let path): return .password(try PasswordSource.file(path, console: console))
        case .passwordCommand(let command): return .password(try PasswordSource.command(command))
        case .passwordVariable:
            guard let password = EnvironmentVariable.takePassword() else { throw Failure("HOLDFAST_PASSWORD: it is empty") }
            console.warn("HOLDFAST_PASSWORD: other programs of this user can see the password; HOLDFAST_PASSWORD_FILE is safer")
            return .password(password)
        case .terminal:
            guard TerminalPrompt.isPossible else {
                throw Failure("there is no password and no terminal to ask at; give --password-file, --password-command or --key-file")
            }
            return .password(try TerminalPrompt.password(isNew ? "New password: " : "Password: ", again: isNew))
        }
    }
}
