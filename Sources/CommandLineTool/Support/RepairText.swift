import Bytes
import ImageRepository
import RepositoryFormat

/// What a repair did, and what is lost, in words and as JSON.
enum RepairText {
    static func lines(_ report: RepairReport, isDryRun: Bool) -> [String] {
        var lines = report.steps.filter { $0.action != .index }.map { "\($0.object): \($0.reason): \(words($0.action, isDryRun))" }
        let indexed = report.steps.count { $0.action == .index }
        if indexed > 0 { lines.append("\(CountText.of(indexed, "pack")) that no index object named: \(words(.index, isDryRun))") }
        for lost in report.lost {
            lines.append("snapshot \(SnapshotText.short(lost.snapshot)), image \(lost.image): \(ByteText.of(lost.byteCount)) cannot be restored:")
            lines += lost.ranges.map { $0.count == 1 ? "  byte \($0.lowerBound)" : "  bytes \($0.lowerBound) to \($0.upperBound - 1)" }
        }
        lines.append("Looked at \(CountText.of(report.snapshotCount, "snapshot")) and \(CountText.of(report.packCount, "pack")) (\(report.openedPackCount) read whole).")
        if !report.lost.isEmpty {
            lines.append("Back up the sources of these images\(isDryRun ? " after a repair" : ""): what they still have of this is stored again, and the old snapshots are whole again. “holdfast check” tells.")
        } else if report.isWhole {
            lines.append(report.steps.isEmpty ? "Nothing had to be done." : isDryRun ? "All of it can be made good." : "All of it was made good.")
        }
        return lines
    }

    private static func words(_ action: RepairStep.Action, _ isDryRun: Bool) -> String {
        let done =
            switch action {
            case .index: "put into the index"
            case .condemn: "condemned; backups store again what it holds"
            case .quarantine: "copied into the quarantine and taken away"
            case .drop: "given up for good"
            }
        return isDryRun ? "would be \(done)" : done
    }

    static func json(_ report: RepairReport, isDryRun: Bool) -> [JSONValue] {
        let steps: [JSONValue] = report.steps.map {
            ["type": "step", "operation": "repair", "action": .string($0.action.rawValue), "object": .string($0.object), "reason": .string($0.reason)]
        }
        let lost: [JSONValue] = report.lost.map { lost in
            [
                "type": "lost", "snapshot": .string(lost.snapshot.hexadecimal), "image": .string(lost.image), "volume": .count(lost.volume),
                "ranges": .array(lost.ranges.map { ["offset": .count($0.lowerBound), "byte_count": .count($0.upperBound - $0.lowerBound)] }),
            ]
        }
        let summary: JSONValue = [
            "type": "summary", "operation": "repair", "dry_run": .bool(isDryRun), "snapshot_count": .count(report.snapshotCount),
            "pack_count": .count(report.packCount), "opened_pack_count": .count(report.openedPackCount), "step_count": .count(report.steps.count),
            "error_count": .count(report.problems.count { $0.severity == .error }), "lost_byte_count": .count(report.lost.reduce(0) { $0 + $1.byteCount }),
            "whole": .bool(report.isWhole),
        ]
        return steps + lost + [summary]
    }
}
