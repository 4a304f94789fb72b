import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast key list`
struct KeyListCommand: Command {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the key slots.")

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Flag(help: "Print one JSON object a line, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        var table = Table([("", .left), ("SLOT", .left), ("ROLE", .left), ("LABEL", .left), ("CREATED (UTC)", .left), ("MAY", .left)])
        for slot in repository.slots {
            let isOwn = slot.id == repository.slot
            table.add([
                isOwn ? "*" : "", SnapshotText.short(slot.id), slot.role.rawValue, slot.label, TimeText.short(slot.created),
                slot.capabilities.joined(separator: ","),
            ])
            console.print(json: [
                "type": "slot", "id": .string(slot.id.hexadecimal), "role": .string(slot.role.rawValue), "label": .string(slot.label),
                "created": .string(slot.created), "capabilities": .strings(slot.capabilities), "own": .bool(isOwn),
            ])
        }
        console.print(table.lines)
        console.print("* opened the repository just now.")
        return .done
    }
}
