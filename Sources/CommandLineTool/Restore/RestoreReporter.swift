import Bytes
import ImageRepository
import RepositoryFormat

/// Tells what a restore did.
struct RestoreReporter {
    private static let rangeCountMax = 20

    let console: Console

    /// - Parameter isStream: standard output holds the image, and words go to standard error.
    func report(_ report: RestoreReport, _ what: String, snapshot: SnapshotID, image: String, target: String, isStream: Bool, milliseconds: UInt64) {
        for range in report.unreadable.prefix(RestoreReporter.rangeCountMax) {
            console.warn("bytes \(range.lowerBound) to \(range.upperBound) could not be read when the snapshot was made; the target holds zeros there")
        }
        let more = report.unreadable.count - RestoreReporter.rangeCountMax
        if more > 0 { console.warn("\(more) more such ranges; --json lists all") }
        let line =
            "Restored \(what) to \(target): \(ByteText.of(report.imageByteCount)), \(ByteText.of(report.writtenByteCount)) written, "
            + "in \(DurationText.of(seconds: milliseconds / 1000))\(report.isVerified ? "; read back and equal" : "")."
        if isStream { console.note(line) } else { console.print(line) }
        console.print(json: [
            "type": "summary", "operation": "restore", "snapshot_id": .string(snapshot.hexadecimal), "image": .string(image), "target": .string(target), "image_byte_count": .count(report.imageByteCount),
            "written_byte_count": .count(report.writtenByteCount), "discarded_byte_count": report.discardedByteCount.map { .count($0) } ?? .null, "verified": .bool(report.isVerified), "milliseconds": .count(milliseconds),
            "unreadable": .array(
                report.unreadable.map { ["offset": .count($0.lowerBound), "byte_count": .count($0.upperBound - $0.lowerBound)] }),
        ])
    }
}
