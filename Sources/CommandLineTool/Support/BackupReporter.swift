import ImageRepository
import RepositoryFormat

/// Tells what a backup did.
struct BackupReporter {
    let console: Console

    func report(_ report: BackupReport, milliseconds: UInt64) {
        for warning in report.warnings { console.warn(warning) }
        let manifest = report.snapshot.manifest
        let unreadable = manifest.images.map { image in
            UnreadableText(
                image: image, parts: image.unreadableParts(report.unreadable.filter { $0.image == image.name }.map(\.range)), path: image.source.kind == "stream" ? nil : image.source.path)
        }
        for text in unreadable { for line in text.lines("could not be read; the snapshot says so") { console.warn("\(text.image.name): \(line)") } }
        let counters = manifest.counters
        let images = CountText.of(manifest.images.count, "image")
        console.print("Snapshot \(SnapshotText.short(report.snapshot.id)) of \(manifest.host): \(images), \(ByteText.of(counters.imageByteCount)).")
        console.print(
            "Read \(ByteText.of(counters.readByteCount)) in \(DurationText.of(seconds: milliseconds / 1000)); "
                + "\(ByteText.of(counters.newByteCount)) new, stored in \(ByteText.of(counters.storedByteCount)).")
        console.print(json: json(report, unreadable, milliseconds))
    }

    private func json(_ report: BackupReport, _ unreadable: [UnreadableText], _ milliseconds: UInt64) -> JSONValue {
        [
            "type": "summary", "operation": "backup",
            "snapshot": SnapshotText.json(report.snapshot),
            "milliseconds": .count(milliseconds),
            "data_pack_count": .count(report.dataPackCount),
            "map_pack_count": .count(report.mapPackCount),
            "unreadable": .array(unreadable.flatMap(\.json)),
        ]
    }
}
