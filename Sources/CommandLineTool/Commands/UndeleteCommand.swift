import ArgumentParser
import RepositoryFormat

/// `holdfast undelete`
struct UndeleteCommand: Command {
    static let configuration = CommandConfiguration(commandName: "undelete", abstract: "Bring forgotten snapshots back.",
        discussion: "They are named by the first digits of their ids, which “holdfast snapshots --forgotten” shows. After a prune none comes back.")

    @OptionGroup var options: MarkOptions

    var console: Console { options.console }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try options.repository.open(console)
        try MarkReport.mark(try SnapshotFinder(repository: repository).findForgotten(options.snapshots), .undelete, in: repository, console)
        return .done
    }
}
