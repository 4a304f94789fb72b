import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast key add`
struct KeyAddCommand: Command {
    static let configuration = CommandConfiguration(commandName: "add", abstract: "Add a password or a key file.")

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "New key")
    var new: NewCredentialOptions

    @Option(help: "backup: only stores and lists; full: everything.")
    var role: RoleOption

    @Option(parsing: .upToNextOption, help: ArgumentHelp(
        "What a key of role backup may do besides: forget-own (the snapshots it made), forget-any, prune. A prune with such a key frees less, because it cannot open what it copies.",
        valueName: "what"))
    var allow: [GrantOption] = []

    @Option(help: "What to call the slot.")
    var label = ""

    @Flag(help: "Print one JSON object, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        try requireFullRole(repository, to: "add keys")
        let slot = try new.withCredential(for: repository, console) { credential throws(RepositoryError) in
            try repository.addSlot(role: role.role, granting: Set(allow.map(\.capability)), credential: credential, cost: new.cost.cost, label: label)
        }
        console.print("Added slot \(SnapshotText.short(slot)) of role \(role.rawValue).")
        console.print(json: ["type": "summary", "operation": "key_add", "slot_id": .string(slot.hexadecimal), "role": .string(role.rawValue)])
        return .done
    }
}

/// What can be granted, as the command line names it.
enum GrantOption: String, ExpressibleByArgument, CaseIterable {
    case forgetOwn = "forget-own"
    case forgetAny = "forget-any"
    case prune

    var capability: Capability {
        switch self {
        case .forgetOwn: .forgetOwn
        case .forgetAny: .forgetAny
        case .prune: .prune
        }
    }
}

/// The roles as the command line names them.
enum RoleOption: String, ExpressibleByArgument, CaseIterable {
    case backup, full

    var role: Role {
        switch self {
        case .backup: .backup
        case .full: .full
        }
    }
}
