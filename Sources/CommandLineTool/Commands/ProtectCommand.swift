import ArgumentParser
import RepositoryFormat

/// `holdfast protect`
struct ProtectCommand: Command {
    static let configuration = CommandConfiguration(commandName: "protect", abstract: "Protect snapshots from being forgotten.")

    @OptionGroup var options: MarkOptions

    var console: Console { options.console }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try options.repository.open(console)
        try MarkReport.mark(try SnapshotFinder(repository: repository).findAll(options.snapshots), .protect, in: repository, console)
        return .done
    }
}
