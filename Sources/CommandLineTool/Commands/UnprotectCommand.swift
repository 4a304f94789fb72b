import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast unprotect`
struct UnprotectCommand: Command {
    static let configuration = CommandConfiguration(commandName: "unprotect", abstract: "Let protected snapshots be forgotten again.")

    @Argument(help: "The first digits of their ids, latest, or latest:HOST.")
    var snapshots: [String]

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Flag(help: "Print one JSON object, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        let found = try SnapshotFinder(repository: repository).findAll(snapshots)
        try MarkReport.mark(found, .unprotect, in: repository, console)
        return .done
    }
}
