import Bytes
import ImageRepository
import RepositoryFormat

/// Tells what a restore did.
struct RestoreReporter {
    let console: Console

    /// - Parameter isStream: standard output holds the image, and words go to standard error.
    func report(_ report: RestoreReport, _ what: String, snapshot: SnapshotID, image: ImageRecord, target: String, isStream: Bool, milliseconds: UInt64) {
        let unreadable = UnreadableText(image: image, parts: report.unreadableParts, path: isStream ? nil : target)
        for line in unreadable.lines("could not be read when the snapshot was made; the target holds zeros there") { console.warn(line) }
        let line =
            "Restored \(what) to \(target): \(ByteText.of(report.imageByteCount)), \(ByteText.of(report.writtenByteCount)) written, "
            + "in \(DurationText.of(seconds: milliseconds / 1000))\(report.isVerified ? "; read back and equal" : "")."
        if isStream { console.note(line) } else { console.print(line) }
        console.print(json: [
            "type": "summary", "operation": "restore", "snapshot_id": .string(snapshot.hexadecimal), "image": .string(image.name), "target": .string(target), "image_byte_count": .count(report.imageByteCount),
            "written_byte_count": .count(report.writtenByteCount), "discarded_byte_count": report.discardedByteCount.map { .count($0) } ?? .null, "verified": .bool(report.isVerified), "milliseconds": .count(milliseconds),
            "unreadable": .array(unreadable.json),
        ])
    }
}
