import ArgumentParser

/// Sources that are read once, from their beginning to their end.
struct StreamOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read an image from standard input, and call it so.", valueName: "name"))
    var stdinName: String?

    @Option(
        help: ArgumentHelp(
            "Read an image from what a shell command prints; nothing is kept unless it ends with status 0. Called stdin, or as --stdin-name says.",
            valueName: "command"))
    var stdinCommand: String?

    var isGiven: Bool { stdinName != nil || stdinCommand != nil }

    func validate() throws {
        if stdinName == "" || stdinCommand == "" { throw ValidationError("--stdin-name and --stdin-command must not be empty.") }
    }
}
