import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast key change`
struct KeyChangeCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "change",
        abstract: "Change the password or key file that was given to open the repository.",
        discussion: "A slot of the same role is added, then the old one is removed.")

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "New key")
    var new: NewCredentialOptions

    @Flag(help: "Print one JSON object, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        try requireFullRole(repository, to: "change keys")
        let old = repository.slot
        let slot = try new.withCredential(for: repository, console) { credential throws(RepositoryError) in try repository.changeCredential(to: credential, cost: new.cost.cost) }
        console.print("Slot \(SnapshotText.short(slot)) replaces \(SnapshotText.short(old)).")
        console.print(json: [
            "type": "summary", "operation": "key_change", "slot_id": .string(slot.hexadecimal), "old_slot_id": .string(old.hexadecimal),
        ])
        return .done
    }
}
