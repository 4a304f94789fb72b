import ArgumentParser
import RepositoryFormat

/// `holdfast generate-manual`, for packagers.
struct GenerateManualCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "generate-manual", abstract: "Print the manual page, in the format of man(7).", shouldDisplay: false)

    var console: Console { Console(format: .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let description: JSONValue
        do throws(FormatError) { description = try JSONValue(parsing: Array(Holdfast._dumpHelp().utf8)) } catch {
            throw Failure("the description of the commands: \(error)")
        }
        guard let command = description["command"] else { throw Failure("the description of the commands has no command") }
        console.print(ManualPage(root: command).lines)
        return .done
    }
}
