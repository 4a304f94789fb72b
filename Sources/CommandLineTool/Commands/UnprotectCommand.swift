import ArgumentParser
import RepositoryFormat

/// `holdfast unprotect`
struct UnprotectCommand: Command {
    static let configuration = CommandConfiguration(commandName: "unprotect", abstract: "Let protected snapshots be forgotten again.")

    @OptionGroup var options: MarkOptions

    var console: Console { options.console }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try options.repository.open(console)
        try MarkReport.mark(try SnapshotFinder(repository: repository).findAll(options.snapshots), .unprotect, in: repository, console)
        return .done
    }
}
