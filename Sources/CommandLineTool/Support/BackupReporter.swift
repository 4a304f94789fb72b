import ImageRepository
import RepositoryFormat

/// Tells what a backup did.
struct BackupReporter {
    /// Ranges listed one by one; a dying disk may have thousands.
    private static let rangeCountMax = 20

    let console: Console

    func report(_ report: BackupReport, milliseconds: UInt64) {
        for warning in report.warnings { console.warn(warning) }
        warnOfUnreadable(report)
        let manifest = report.snapshot.manifest
        let counters = manifest.counters
        let images = CountText.of(manifest.images.count, "image")
        console.print("Snapshot \(SnapshotText.short(report.snapshot.id)) of \(manifest.host): \(images), \(ByteText.of(counters.imageByteCount)).")
        console.print(
            "Read \(ByteText.of(counters.readByteCount)) in \(DurationText.of(seconds: milliseconds / 1000)); "
                + "\(ByteText.of(counters.newByteCount)) new, stored in \(ByteText.of(counters.storedByteCount)).")
        console.print(json: json(report, milliseconds))
    }

    private func warnOfUnreadable(_ report: BackupReport) {
        for (image, range) in report.unreadable.prefix(BackupReporter.rangeCountMax) {
            console.warn("\(image): bytes \(range.lowerBound) to \(range.upperBound) could not be read; the snapshot says so")
        }
        let more = report.unreadable.count - BackupReporter.rangeCountMax
        if more > 0 { console.warn("\(more) more ranges could not be read; --json lists all") }
    }

    private func json(_ report: BackupReport, _ milliseconds: UInt64) -> JSONValue {
        [
            "type": "summary", "operation": "backup",
            "snapshot": SnapshotText.json(report.snapshot),
            "milliseconds": .count(milliseconds),
            "data_pack_count": .count(report.dataPackCount),
            "map_pack_count": .count(report.mapPackCount),
            "unreadable": .array(
                report.unreadable.map { [
                    "image": .string($0.image), "offset": .count($0.range.lowerBound), "byte_count": .count($0.range.upperBound - $0.range.lowerBound),
                ] }),
        ]
    }
}
