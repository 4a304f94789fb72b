import ArgumentParser
import RepositoryFormat

/// `holdfast unprotect`
struct UnprotectCommand: Command {
    static let configuration = CommandConfiguration(commandName: "unprotect", abstract: "Let protected snapshots be forgotten again.")

    @Argument(help: "The first digits of their ids, latest, or latest:HOST.")
    var snapshots: [String]

    @OptionGroup var options: MarkOptions

    var console: Console { options.console }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try options.repository.open(console)
        try MarkReport.mark(try SnapshotFinder(repository: repository).findAll(snapshots), .unprotect, in: repository, console)
        return .done
    }
}
