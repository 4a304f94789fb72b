import ArgumentParser

/// `holdfast key`
struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "List, add, remove and change what opens the repository.",
        discussion: """
            A key of role full may do everything. One of role backup can back up and list, and cannot read any data back, not even its \
            own: the right key for a machine that may be broken into.
            """,
        subcommands: [KeyListCommand.self, KeyAddCommand.self, KeyRemoveCommand.self, KeyChangeCommand.self])

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions
}
