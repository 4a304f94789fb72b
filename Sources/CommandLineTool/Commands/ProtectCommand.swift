import ArgumentParser
import RepositoryFormat

/// `holdfast protect`
struct ProtectCommand: Command {
    static let configuration = CommandConfiguration(commandName: "protect", abstract: "Protect snapshots from being forgotten, and from every prune.")

    @Argument(help: "The first digits of their ids, latest, or latest:HOST.")
    var snapshots: [String]

    @OptionGroup var options: MarkOptions

    var console: Console { options.console }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try options.repository.open(console)
        try MarkReport.mark(try SnapshotFinder(repository: repository).findAll(snapshots), .protect, in: repository, console)
        return .done
    }
}
