import ArgumentParser

/// How a command with progress speaks.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object a line, as Specs/json.md describes.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print no progress, only warnings, errors and the result.")
    var quiet = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: quiet) }
}
