import Bytes
import ImageRepository
import RepositoryFormat

/// Snapshots in words and as JSON.
enum SnapshotText {
    /// Enough digits to be unique among a million snapshots.
    static let digitCount = 12

    static func short(_ id: SnapshotID) -> String { String(id.hexadecimal.prefix(digitCount)) }

    static func short(_ id: SlotID) -> String { String(id.hexadecimal.prefix(digitCount)) }

    /// - Parameter holdings: adds a column of what each holds alone.
    static func table(_ snapshots: [Snapshot], _ holdings: Holdings? = nil) -> Table {
        var table = Table([("ID", .left), ("TIME (UTC)", .left), ("HOST", .left), ("SIZE", .right), ("NEW", .right), ("STORED", .right)]
            + (holdings == nil ? [] : [("ALONE", .right)]) + [("TAGS", .left), ("IMAGES", .left)])
        for snapshot in snapshots {
            let manifest = snapshot.manifest
            table.add([
                short(snapshot.id), TimeText.short(manifest.startTime), manifest.host, ByteText.of(manifest.counters.imageByteCount),
                ByteText.of(manifest.counters.newByteCount), ByteText.of(manifest.counters.storedByteCount),
            ] + (holdings.map { [ByteText.of($0.snapshots[snapshot.id] ?? 0)] } ?? []) + [
                manifest.tags.joined(separator: ","), images(manifest) + (manifest.isComplete ? "" : " (parts unreadable)"),
            ])
        }
        return table
    }

    static func json(_ snapshot: Snapshot) -> JSONValue {
        let manifest = snapshot.manifest
        return [
            "id": .string(snapshot.id.hexadecimal),
            "parent": .text(manifest.parent?.hexadecimal),
            "host": .string(manifest.host),
            "start_time": .string(manifest.startTime),
            "end_time": .string(manifest.endTime),
            "tool": .string(manifest.tool),
            "tags": .strings(manifest.tags),
            "description": .string(manifest.description),
            "complete": .bool(manifest.isComplete),
            "ordinal": .count(manifest.ordinal),
            "slot_id": .string(snapshot.slot.hexadecimal),
            "digest": .string(snapshot.digest.hexadecimal),
            "forgotten": .bool(snapshot.isForgotten),
            "protected": .bool(snapshot.isProtected),
            "counters": manifest.counters.json,
            "images": .array(
                manifest.images.map { image in
                    [
                        "name": .string(image.name), "byte_count": .count(image.byteCount), "source_kind": .string(image.source.kind),
                        "source_path": .string(image.source.path), "volume_count": .count(image.volumes.count),
                    ]
                }),
        ]
    }

    private static func images(_ manifest: Manifest) -> String { manifest.images.map(\.name).joined(separator: ", ") }
}
