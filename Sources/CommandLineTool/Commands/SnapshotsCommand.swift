import ArgumentParser
import ImageRepository
import RepositoryFormat

/// `holdfast snapshots`
struct SnapshotsCommand: Command {
    static let configuration = CommandConfiguration(commandName: "snapshots", abstract: "List snapshots, oldest first.")

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "Selection")
    var selection: SelectionOptions

    @Flag(help: "Only those that are forgotten and can come back.")
    var forgotten = false

    @Flag(help: "Also what each snapshot holds alone: what forgetting it, and a prune, would free. Reads all maps.")
    var sizes = false

    @Flag(help: "Print one JSON object a line, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        let list = try repositoryCall { () throws(RepositoryError) in try repository.snapshots(includingForgotten: forgotten) }
        let chosen = list.snapshots.filter { $0.isForgotten == forgotten && selection.includes($0) }
        let holdings = sizes ? try Operation(console: console, kind: .stats).run { _, cancellation throws(RepositoryError) in try repository.holdings(cancellation: cancellation) } : nil
        if chosen.isEmpty {
            console.note(forgotten ? "No forgotten snapshots\(selection.isEmpty ? "" : " fit the selection")." : "No snapshots\(selection.isEmpty ? " yet; “holdfast backup SOURCE” makes one" : " fit the selection").")
        } else {
            console.print(SnapshotText.table(chosen, holdings).lines)
        }
        for snapshot in chosen {
            console.print(json: [
                "type": "snapshot", "snapshot": SnapshotText.json(snapshot), "alone_byte_count": holdings.map { .count($0.snapshots[snapshot.id] ?? 0) } ?? .null,
            ])
        }
        ProblemText.report(list.problems, console)
        return list.problems.contains { $0.severity == .error } ? .failed : .done
    }
}
