import ArgumentParser
import ImageRepository
import RepositoryFormat

/// `holdfast diff`
struct DiffCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show how much of which image changed between two snapshots.",
        discussion: "Only maps are read, no data. What moved within an image counts as changed.")

    @Argument(help: "The earlier snapshot.")
    var old: String

    @Argument(help: "The later snapshot.")
    var new: String

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Flag(help: "Print one JSON object an image, with the changed ranges, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let names = (old: try SnapshotName(parsing: old), new: try SnapshotName(parsing: new))
        guard names.old.image == nil, names.new.image == nil else { throw Failure("“diff” takes snapshots, without images", status: .usage) }
        let repository = try repository.open(console)
        let finder = SnapshotFinder(repository: repository)
        let (first, second) = (try finder.find(names.old), try finder.find(names.new))
        let differences = try repositoryCall { () throws(RepositoryError) in try repository.differences(from: first, to: second) }
        var table = Table([("IMAGE", .left), ("", .left), ("OLD SIZE", .right), ("NEW SIZE", .right), ("CHANGED", .right), ("RANGES", .right)])
        for difference in differences {
            table.add([
                difference.image, difference.kind.rawValue, difference.oldByteCount.map { ByteText.of($0) } ?? "",
                difference.newByteCount.map { ByteText.of($0) } ?? "", ByteText.of(difference.changedByteCount), "\(difference.changedRanges.count)",
            ])
            console.print(json: json(difference))
        }
        console.print(table.lines)
        return .done
    }

    private func json(_ difference: ImageDifference) -> JSONValue {
        [
            "type": "difference", "image": .string(difference.image), "kind": .string(difference.kind.rawValue),
            "old_byte_count": difference.oldByteCount.map { .count($0) } ?? .null,
            "new_byte_count": difference.newByteCount.map { .count($0) } ?? .null,
            "changed_byte_count": .count(difference.changedByteCount),
            "changed_ranges": .array(
                difference.changedRanges.map { ["offset": .count($0.lowerBound), "byte_count": .count($0.upperBound - $0.lowerBound)] }),
        ]
    }
}
