import ArgumentParser
import ImageRepository
import RepositoryFormat

/// `holdfast stats`
struct StatsCommand: Command {
    static let configuration = CommandConfiguration(commandName: "stats", abstract: "Show what is in the repository, and how much room it takes.")

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @Flag(help: "Also what each machine holds alone, which forgetting all its snapshots would free. Reads all maps.")
    var byMachine = false

    @Flag(help: "Print one JSON object, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        let statistics = try repositoryCall { () throws(RepositoryError) in try repository.statistics() }
        console.print(table(statistics).lines)
        if let ratio = ratio(statistics) { console.print("All images together are \(ratio) times as large as what is stored.") }
        let holdings = byMachine ? try Operation(console: console, kind: .stats).run { _, cancellation throws(RepositoryError) in try repository.holdings(cancellation: cancellation) } : nil
        if let holdings {
            console.print()
            console.print(table(holdings).lines)
        }
        console.print(json: json(statistics, holdings))
        return .done
    }

    private func table(_ statistics: RepositoryStatistics) -> Table {
        var table = Table([("WHAT", .left), ("COUNT", .right), ("SIZE", .right)])
        table.add(["snapshots (sum of images)", "\(statistics.snapshotCount)", ByteText.of(statistics.imageByteCount)])
        table.add(["different chunks", "\(statistics.chunkCount)", ByteText.of(statistics.chunkByteCount)])
        table.add(["data packs", "\(statistics.dataPackCount)", ByteText.of(statistics.dataPackByteCount)])
        table.add(["map packs", "\(statistics.mapPackCount)", ByteText.of(statistics.mapPackByteCount)])
        table.add(["index objects", "\(statistics.indexObjectCount)", ByteText.of(statistics.indexByteCount)])
        table.add(["everything else", "", ByteText.of(statistics.otherByteCount)])
        table.add(["stored in all", "", ByteText.of(statistics.storedByteCount)])
        return table
    }

    private func table(_ holdings: Holdings) -> Table {
        var table = Table([("HELD BY", .left), ("SNAPSHOTS", .right), ("SIZE", .right)])
        for (host, share) in holdings.hosts.sorted(by: { $0.key < $1.key }) { table.add(["\(host) alone", "\(share.snapshotCount)", ByteText.of(share.aloneByteCount)]) }
        table.add(["several machines", "", ByteText.of(holdings.sharedByteCount)])
        table.add(["nobody", "", ByteText.of(holdings.unheldByteCount)])
        return table
    }

    /// With one digit after the point.
    private func ratio(_ statistics: RepositoryStatistics) -> String? {
        guard statistics.snapshotCount > 0, statistics.storedByteCount > 0 else { return nil }
        let tenths = Int((Double(statistics.imageByteCount) / Double(statistics.storedByteCount) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    private func json(_ statistics: RepositoryStatistics, _ holdings: Holdings?) -> JSONValue {
        [
            "type": "statistics",
            "snapshot_count": .count(statistics.snapshotCount), "image_byte_count": .count(statistics.imageByteCount),
            "chunk_count": .count(statistics.chunkCount), "chunk_byte_count": .count(statistics.chunkByteCount),
            "data_pack_count": .count(statistics.dataPackCount), "data_pack_byte_count": .count(statistics.dataPackByteCount),
            "map_pack_count": .count(statistics.mapPackCount), "map_pack_byte_count": .count(statistics.mapPackByteCount),
            "index_object_count": .count(statistics.indexObjectCount), "index_byte_count": .count(statistics.indexByteCount),
            "other_byte_count": .count(statistics.otherByteCount), "stored_byte_count": .count(statistics.storedByteCount),
            "machines": holdings.map { holdings in
                .array(holdings.hosts.sorted { $0.key < $1.key }.map { host, share in
                    ["host": .string(host), "snapshot_count": .count(share.snapshotCount), "alone_byte_count": .count(share.aloneByteCount)]
                })
            } ?? .null,
            "shared_byte_count": holdings.map { .count($0.sharedByteCount) } ?? .null, "unheld_byte_count": holdings.map { .count($0.unheldByteCount) } ?? .null,
        ]
    }
}
