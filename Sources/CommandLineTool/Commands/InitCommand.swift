import ArgumentParser
import Bytes
import ImageRepository
import LocalStorage
import RepositoryFormat
import Sealing
import Storage

/// `holdfast init`
struct InitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a new repository.",
        discussion: """
            The folder is made if it does not exist; one that holds anything else is refused. A recovery key is made and printed: it opens the repository when the password is lost, \
            and nothing else does. Keep it on paper, away from this machine.
            """)

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Option(
        help: ArgumentHelp(
            "Average chunk size, a power of two from 16KiB to 1MiB. Cannot be changed later; larger means a smaller index and less found to be equal.",
            valueName: "average"),
        transform: ArgumentValues.chunkByteCount)
    var chunkSize = 32 << 10

    @Option(help: "How hard the password is to guess: moderate takes 256 MiB and half a second, sensitive 1 GiB and three.")
    var cost = CostOption.moderate

    @Option(help: "What to call the first key slot.")
    var label = "first"

    @Option(help: ArgumentHelp("Also write the recovery key to a new file that only you may read.", valueName: "path"), completion: .file())
    var recoveryFile: String?

    @Flag(help: "Do not print the recovery key; only together with --recovery-file.")
    var noRecoveryPrint = false

    @Flag(help: "Print one JSON object, without the recovery key; only together with --recovery-file.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func validate() throws {
        if noRecoveryPrint || json, recoveryFile == nil {
            throw ValidationError("The recovery key would be lost: give --recovery-file.")
        }
    }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let storage = try repository.storage()
        try refuseOccupied(storage)
        try refuseOtherFiles(storage.place)
        if let recoveryFile, SecretFile.exists(recoveryFile) {
            throw Failure("\(recoveryFile): it exists and is not overwritten; name another file for the recovery key", status: .usage)
        }
        let credential = try CredentialSource(repository).new(console)
        var options = Repository.CreationOptions()
        options.averageChunkByteCount = chunkSize
        options.passwordCost = cost.cost
        options.label = label
        let environment = ThisMachine.environment(console)
        let (created, recoveryKey) = try repositoryCall { () throws(RepositoryError) in
            try Repository.create(on: storage, credential: credential, options: options, environment: environment)
        }
        for warning in created.warnings { console.warn(warning) }
        if let recoveryFile { try write(recoveryKey, to: recoveryFile) }
        report(created, recoveryKey, console)
        return .done
    }

    /// Before anybody has to think of a password.
    private func refuseOccupied(_ storage: some StorageBackend) throws(Failure) {
        do throws(StorageError) {
            guard try storage.stat(.config) != nil else { return }
        } catch {
            if case .noRepository = error { return }
            throw Failure(error)
        }
        throw Failure("\(storage.place): there is a repository already; name another folder")
    }

    /// Twelve folders among somebody's documents are no fun. An earlier attempt's leftovers and the root of a disk are fine.
    private func refuseOtherFiles(_ folder: String) throws(Failure) {
        if let outer = FolderNames.ancestors(of: folder).first(where: { Set(FolderNames.of($0)).isSuperset(of: ["config", "keyring", "keys", "packs"]) }) {
            throw Failure("\(folder): it lies inside the repository \(outer); name a folder elsewhere")
        }
        let harmless = Set(ObjectKind.allCases.map(\.rawValue) + ["lost+found", "reserve"])
        guard let other = FolderNames.of(folder).first(where: { !harmless.contains($0) }) else { return }
        throw Failure("\(folder): it is not empty (there is \(other)); name a new folder, such as \(folder)/repository")
    }

    private func write(_ key: KeyFile, to path: String) throws(Failure) {
        do throws(Failure) { try KeyFiles.write(key, to: path) } catch {
            // The repository exists and works with its password; only this file is missing.
            throw Failure("\(error.message); the repository was made, but without a recovery key that you have: remove it and run init again")
        }
    }

    private func report(_ created: Repository, _ recoveryKey: KeyFile, _ console: Console) {
        console.print("Made repository \(created.id.hexadecimal) at \(created.place).")
        if let recoveryFile { console.print("The recovery key is in \(recoveryFile); move it away from this machine.") }
        if !noRecoveryPrint, !json { RecoveryKeyPrinter(console: console).print(recoveryKey) }
        console.print(json: [
            "type": "summary", "operation": "init", "repository_id": .string(created.id.hexadecimal), "place": .string(created.place),
            "slot_id": .string(created.slot.hexadecimal), "chunk_byte_count": .count(chunkSize), "recovery_file": .text(recoveryFile),
        ])
    }
}
