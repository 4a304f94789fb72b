import ArgumentParser
import RepositoryFormat

/// `holdfast undelete`
struct UndeleteCommand: Command {
    static let configuration = CommandConfiguration(commandName: "undelete", abstract: "Bring forgotten snapshots back.",
        discussion: "They are named by the first digits of their ids, which “holdfast snapshots --forgotten” shows. One that a prune has ended does not come back.")

    @Argument(help: "The first digits of their ids.")
    var snapshots: [String]

    @OptionGroup var options: MarkOptions

    var console: Console { options.console }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try options.repository.open(console)
        try MarkReport.mark(try SnapshotFinder(repository: repository).findForgotten(snapshots), .undelete, in: repository, console)
        return .done
    }
}
