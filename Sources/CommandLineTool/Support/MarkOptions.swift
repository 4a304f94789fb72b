import ArgumentParser

/// What the commands that mark snapshots have in common.
struct MarkOptions: ParsableArguments {
    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Flag(help: "Print one JSON object, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }
}
