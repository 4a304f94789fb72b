import Bytes
import ImageRepository
import RepositoryFormat

/// What a policy decides, in words and as JSON.
enum RetentionText {
    static func table(_ group: RetentionPlan.Group) -> Table {
        var table = Table([("ID", .left), ("TIME (UTC)", .left), ("TAGS", .left), ("", .left), ("BECAUSE OF", .left)])
        for decision in group.decisions {
            let manifest = decision.snapshot.manifest
            let because = decision.reasons.map(\.description).joined(separator: ", ")
            let moved = decision.isMoved ? "its clock said \(TimeText.short(manifest.startTime))" : ""
            table.add([
                SnapshotText.short(decision.snapshot.id), TimeText.short(Timestamp.text(secondsSince1970: decision.time)), manifest.tags.joined(separator: ","),
                decision.isKept ? "keep" : "forget", [because, moved].filter { !$0.isEmpty }.joined(separator: "; "),
            ])
        }
        return table
    }

    static func json(_ decision: RetentionPlan.Decision, _ group: String) -> JSONValue {
        [
            "type": "retention", "group": .string(group), "snapshot": SnapshotText.json(decision.snapshot), "kept": .bool(decision.isKept),
            "reasons": .strings(decision.reasons.map(\.description)), "time": .string(Timestamp.text(secondsSince1970: decision.time)),
            "moved": .bool(decision.isMoved),
        ]
    }
}
