import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast show`
struct ShowCommand: Command {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show everything that is known of a snapshot.")

    @Argument(help: "The first digits of its id, latest, or latest:HOST.")
    var snapshot: String

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "Selection")
    var selection: SelectionOptions

    @Flag(help: "Print one JSON object with the whole manifest, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let name = try SnapshotName(parsing: snapshot)
        guard name.image == nil else { throw Failure("“\(snapshot)” names an image; “show” takes a snapshot", status: .usage) }
        let repository = try repository.open(console)
        let snapshot = try SnapshotFinder(repository: repository, host: selection.host, tags: selection.tags).find(name)
        let unreadable = try snapshot.manifest.isComplete ? [] : unreadable(snapshot, repository)
        console.print(lines(snapshot, signer: repository.slots.first { $0.id == snapshot.slot }, unreadable))
        console.print(json: [
            "type": "snapshot", "snapshot": SnapshotText.json(snapshot), "manifest": snapshot.manifest.json, "unreadable": .array(unreadable.flatMap(\.json)),
        ])
        return .done
    }

    /// Stands in the maps, which are read for it.
    private func unreadable(_ snapshot: Snapshot, _ repository: Repository) throws(Failure) -> [UnreadableText] {
        try snapshot.manifest.images.map { image throws(Failure) in
            let parts = try repositoryCall { () throws(RepositoryError) in try repository.unreadableParts(of: image) }
            return UnreadableText(image: image, parts: parts, path: image.source.kind == "stream" ? nil : image.source.path)
        }
    }

    private func lines(_ snapshot: Snapshot, signer: Keyring.Slot?, _ unreadable: [UnreadableText]) -> [String] {
        let manifest = snapshot.manifest
        let counters = manifest.counters
        var facts: [(String, String)] = [
            ("snapshot", snapshot.id.hexadecimal), ("parent", manifest.parent?.hexadecimal ?? "none"), ("host", manifest.host),
            ("started", manifest.startTime), ("ended", manifest.endTime), ("made by", manifest.tool),
            ("key slot", "\(SnapshotText.short(snapshot.slot)) \(signer?.label ?? "(no longer there)")"),
            ("tags", manifest.tags.joined(separator: ", ")), ("description", manifest.description),
            ("complete", manifest.isComplete ? "yes" : "no, \(ByteText.of(counters.unreadableByteCount)) could not be read"),
            ("images", ByteText.of(counters.imageByteCount)), ("read", ByteText.of(counters.readByteCount)),
            ("taken over", counters.takenByteCount == 0 ? "" : "\(ByteText.of(counters.takenByteCount)), of which \(ByteText.of(counters.auditedByteCount)) were read and compared"),
            ("new", "\(ByteText.of(counters.newByteCount)) in \(counters.newChunkCount) of \(CountText.of(counters.chunkCount, "chunk"))"),
            ("stored", ByteText.of(counters.storedByteCount)), ("digest", snapshot.digest.hexadecimal),
        ]
        facts.removeAll { $0.1.isEmpty }
        return facts.map { fact in fact.0 + String(repeating: " ", count: 13 - fact.0.count) + fact.1 }
            + manifest.images.flatMap { image in ImageText.lines(image) + unreadable.filter { $0.image.name == image.name }.flatMap { $0.lines("could not be read") }.map { "  \($0)" } }
    }
}
