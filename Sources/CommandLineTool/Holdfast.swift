import ArgumentParser

/// The root of the command tree.
struct Holdfast: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "holdfast",
        abstract: "Keeps images of whole disks in an encrypted, deduplicating repository.",
        discussion: """
            “holdfast demo” shows the whole of it in a minute, without a disk or a repository.

            A snapshot is named by the first digits of its id, by latest, or by latest:HOST; an image of it by SNAPSHOT:IMAGE.

            Exit status: 0 done; 1 failed; 3 done, but parts of a source could not be read or did not stay frozen; 4 done, but --after failed; 10 no repository there; 11 ended by another \
            session; 12 wrong password or key; 64 wrong usage; 130 interrupted.
            """,
        version: "holdfast \(ToolVersion.text)",
        subcommands: [
            InitCommand.self, BackupCommand.self, SnapshotsCommand.self, ShowCommand.self, RestoreCommand.self, CheckCommand.self, RepairCommand.self,
            ForgetCommand.self, UndeleteCommand.self, ProtectCommand.self, UnprotectCommand.self, PruneCommand.self, SessionsCommand.self,
            StatsCommand.self, DiffCommand.self, KeyCommand.self, DemoCommand.self, GenerateManualCommand.self,
        ])

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    /// The command that the arguments name.
    static func parsed(_ arguments: [String]) throws -> any ParsableCommand { try parseAsRoot(withImpliedValues(arguments)) }

    /// `--read-data` alone is `--read-data=100%`. The parser's own way of saying so drops a value whenever another option follows it.
    static func withImpliedValues(_ arguments: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return arguments.indices.map { index in
            guard index < end, arguments[index] == "--read-data" else { return arguments[index] }
            let hasValue = index + 1 < end && arguments[index + 1].hasSuffix("%")
            return hasValue ? arguments[index] : "--read-data=100%"
        }
    }

    /// How messages about wrong usage begin, like all others.
    static var _errorLabel: String { "holdfast" }
}
