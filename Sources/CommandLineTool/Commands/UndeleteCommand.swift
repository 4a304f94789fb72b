import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast undelete`
struct UndeleteCommand: Command {
    static let configuration = CommandConfiguration(commandName: "undelete", abstract: "Bring forgotten snapshots back.")

    @Argument(help: "The first digits of their ids, as “holdfast snapshots --forgotten” shows them.")
    var snapshots: [String]

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Flag(help: "Print one JSON object, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        let found = try SnapshotFinder(repository: repository).findForgotten(snapshots)
        try MarkReport.mark(found, .undelete, in: repository, console)
        return .done
    }
}
