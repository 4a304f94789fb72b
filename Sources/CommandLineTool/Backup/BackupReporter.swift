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
        for use in report.changeMaps {
            if let line = BackupReporter.line(use) { console.print(line) }
        }
        console.print(json: json(report, unreadable, milliseconds))
    }

    /// Nil where a warning says it.
    private static func line(_ use: ChangeMapUse) -> String? {
        switch use.outcome {
        case .used(let taken, let audited): "\(use.image): \(ByteText.of(taken)) taken over unchanged, of which \(ByteText.of(audited)) were read and compared."
        case .unused(let reason): "\(use.image): everything was read: \(reason)."
        case .refuted: nil
        }
    }

    private static func json(_ use: ChangeMapUse) -> JSONValue {
        let (outcome, taken, audited, reason, offset): (String, UInt64, UInt64, String?, UInt64?) =
            switch use.outcome {
            case .used(let taken, let audited): ("used", taken, audited, nil, nil)
            case .unused(let reason): ("unused", 0, 0, reason, nil)
            case .refuted(let offset): ("refuted", 0, 0, nil, offset)
            }
        return [
            "image": .string(use.image), "outcome": .string(outcome), "taken_byte_count": .count(taken), "audited_byte_count": .count(audited),
            "reason": .text(reason), "offset": offset.map { .count($0) } ?? .null,
        ]
    }

    private func json(_ report: BackupReport, _ unreadable: [UnreadableText], _ milliseconds: UInt64) -> JSONValue {
        [
            "type": "summary", "operation": "backup",
            "snapshot": SnapshotText.json(report.snapshot),
            "milliseconds": .count(milliseconds),
            "data_pack_count": .count(report.dataPackCount),
            "map_pack_count": .count(report.mapPackCount),
            "change_maps": .array(report.changeMaps.map(BackupReporter.json)),
            "unreadable": .array(unreadable.flatMap(\.json)),
        ]
    }
}
