import ArgumentParser
import Bytes
import Glibc
import ImageRepository
import RepositoryFormat

/// `holdfast key remove`
struct KeyRemoveCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a key slot.",
        discussion: """
            Its password or key file opens the repository no more. What its holder copied before can still be read with it. The last \
            slot of role full, and the one in use, cannot be removed.
            """)

    @Argument(help: "The first digits of the slot's id, as “holdfast key list” shows them.")
    var slot: String

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print one JSON object, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        try requireFullRole(repository, to: "remove keys")
        let found = try find(in: repository.slots)
        let name = "slot \(SnapshotText.short(found.id)) (\(found.role.rawValue)\(found.label.isEmpty ? "" : ", \(found.label)"))"
        if !yes {
            guard isatty(STDIN_FILENO) == 1, TerminalPrompt.isPossible else { throw Failure("\(name): nothing was done; --yes removes it") }
            guard try TerminalPrompt.confirm("Remove \(name)?") else { throw Failure("\(name): nothing was done") }
        }
        try repositoryCall { () throws(RepositoryError) in try repository.removeSlot(found.id) }
        console.print("Removed \(name).")
        console.print(json: ["type": "summary", "operation": "key_remove", "slot_id": .string(found.id.hexadecimal)])
        return .done
    }

    private func find(in slots: [Keyring.Slot]) throws(Failure) -> Keyring.Slot {
        let digits = slot.lowercased()
        let matches = slots.filter { !digits.isEmpty && $0.id.hexadecimal.hasPrefix(digits) }
        guard let found = matches.first else { throw Failure("no slot's id begins with “\(slot)”; “holdfast key list” shows them") }
        guard matches.count == 1 else { throw Failure("the ids of \(matches.count) slots begin with “\(slot)”; give more digits") }
        return found
    }
}
