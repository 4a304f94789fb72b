import Bytes
import ImageRepository
import RepositoryFormat

/// What a prune would do and what it did, in words and as JSON.
enum PruneText {
    static func prune(_ repository: Repository, _ options: PruneOptions, _ console: Console) throws(Failure) -> ExitStatus {
        let report = try Operation(console: console, kind: .prune, onStopNote: "; the next prune goes on").run { _, cancellation throws(RepositoryError) in
            try repository.prune(options, cancellation: cancellation)
        }
        if let plan = report.plan, report.waitsFor.isEmpty { console.print(keptLines(plan)) }
        var done: [String] = []
        if report.snapshotCount > 0 { done.append("\(CountText.of(report.snapshotCount, "forgotten snapshot")) gone for good") }
        if report.written.count > 0 { done.append("\(text(report.written)) written with what is needed of others") }
        if report.deleted.count > 0 { done.append("\(text(report.deleted)) deleted") }
        if report.sparedPackCount > 0 { done.append("\(CountText.of(report.sparedPackCount, "pack")) spared, as they are needed after all, or may be") }
        if !done.isEmpty { console.print(done.joined(separator: "; ") + ".") }
        for session in report.waitsFor { console.print("waits for \(line(session))\(silence(session))") }
        if !report.waitsFor.isEmpty {
            let waiting = report.deleted.count == 0 ? "Nothing was deleted yet" : "Packs that they may need wait"
            console.note("\(waiting). Prune again when these sessions have ended, or end one that hangs with “holdfast sessions --end ID”.")
            if let line = silenceRule(options, report.waitsFor) { console.note(line) }
        } else if done.isEmpty {
            console.note("Nothing to delete.")
        }
        ProblemText.report(report.problems, console)
        console.print(json: json(report))
        return report.problems.isEmpty ? .done : .failed
    }

    static func lines(_ plan: PrunePlan) -> [String] {
        var lines = ["\(CountText.of(plan.snapshots.count, "forgotten snapshot")) would be gone for good, \(text(plan.deleted)) deleted."]
        if plan.openListCount > 0 { lines.append("Before that, what \(CountText.of(plan.openListCount, "earlier prune")) began would be finished.") }
        if plan.unusedRepack.packs.count > 0 { lines.append("Repacked because too much of them is unused: \(text(plan.unusedRepack)).") }
        if plan.smallRepack.packs.count > 0 { lines.append("Merged because they are small: \(text(plan.smallRepack)).") }
        return lines + keptLines(plan)
    }

    private static func keptLines(_ plan: PrunePlan) -> [String] {
        var lines = ["\(text(plan.kept)) kept" + (plan.deadByteCount > 0 ? ", of which nobody needs \(ByteText.of(plan.deadByteCount))." : ".")]
        if plan.sealedDeadByteCount > 0 {
            lines.append("\(ByteText.of(plan.sealedDeadByteCount)) of these are in segments that this key cannot open; “holdfast prune” with a key of role full frees them.")
        }
        if plan.postponedRepack.packs.count > 0 {
            let reason = plan.isShortOfRoom ? "there is no room to copy what is needed of them" : "--max-repack allows no more"
            lines.append("Not repacked, because \(reason): \(text(plan.postponedRepack)).")
        }
        if plan.unindexed.count > 0 { lines.append("\(text(plan.unindexed)) left alone: they may belong to a session that runs.") }
        return lines
    }

    private static func text(_ repack: PrunePlan.Repack) -> String {
        "\(text(repack.packs)), \(ByteText.of(repack.copiedByteCount)) to be copied, \(ByteText.of(repack.openedByteCount)) to be opened and stored anew in part, \(ByteText.of(repack.freedByteCount)) freed"
    }

    static func line(_ session: OpenSession) -> String {
        "\(SnapshotText.short(session.id)): \(session.record.kind) on \(session.record.host), process \(session.record.processID), since \(TimeText.short(session.record.startTime)) UTC"
    }

    /// What is worth telling of it: a backup gives a sign of life every ten minutes.
    static func silence(_ session: OpenSession) -> String {
        guard let seconds = session.silentSeconds, seconds >= 3600 else { return "" }
        return " (nothing heard of it for \(CountText.of(Int(seconds / 3600), "hour")))"
    }

    /// When sessions that are waited for are ended; nil if the user wants none to be.
    static func silenceRule(_ options: PruneOptions, _ sessions: [OpenSession]) -> String? {
        guard let seconds = options.silentAfter else { return nil }
        guard sessions.allSatisfy({ $0.silentSeconds != nil }) else {
            return "This machine has no state folder that it can use to remember when it heard of them, so its prunes end none of them for its silence."
        }
        let time = seconds % 3600 == 0 ? CountText.of(Int(seconds / 3600), "hour") : CountText.of(Int(seconds / 60), "minute")
        return "One of which prunes of this machine hear nothing for \(time) is ended by the next."
    }

    static func json(_ session: OpenSession) -> JSONValue {
        [
            "id": .string(session.id.hexadecimal), "kind": .string(session.record.kind), "host": .string(session.record.host),
            "process_id": .count(session.record.processID), "start_time": .string(session.record.startTime), "tool": .string(session.record.tool), "gone": .bool(session.isGone),
            "silent_seconds": session.silentSeconds.map { .count($0) } ?? .null,
        ]
    }

    static func json(_ plan: PrunePlan) -> JSONValue {
        [
            "type": "plan", "operation": "prune", "forgotten": .strings(plan.snapshots.map(\.hexadecimal)), "deleted_pack_count": .count(plan.deleted.count),
            "deleted_byte_count": .count(plan.deleted.byteCount), "kept_pack_count": .count(plan.kept.count), "kept_byte_count": .count(plan.kept.byteCount),
            "dead_byte_count": .count(plan.deadByteCount), "sealed_dead_byte_count": .count(plan.sealedDeadByteCount), "unindexed_pack_count": .count(plan.unindexed.count),
            "open_list_count": .count(plan.openListCount), "repack_unused": json(plan.unusedRepack), "repack_small": json(plan.smallRepack),
            "repack_postponed": json(plan.postponedRepack), "short_of_room": .bool(plan.isShortOfRoom),
        ]
    }

    private static func json(_ repack: PrunePlan.Repack) -> JSONValue {
        [
            "pack_count": .count(repack.packs.count), "pack_byte_count": .count(repack.packs.byteCount), "copied_byte_count": .count(repack.copiedByteCount),
            "opened_byte_count": .count(repack.openedByteCount), "freed_byte_count": .count(repack.freedByteCount),
        ]
    }

    private static func json(_ report: PruneReport) -> JSONValue {
        [
            "type": "summary", "operation": "prune", "final_snapshot_count": .count(report.snapshotCount), "deleted_pack_count": .count(report.deleted.count),
            "deleted_byte_count": .count(report.deleted.byteCount), "spared_pack_count": .count(report.sparedPackCount),
            "written_pack_count": .count(report.written.count), "written_byte_count": .count(report.written.byteCount),
            "rewritten_index_count": .count(report.rewrittenIndexCount), "waits_for": .array(report.waitsFor.map { json($0) }),
            "plan": report.plan.map { json($0) } ?? .null,
        ]
    }

    private static func text(_ packs: PrunePlan.Packs) -> String { "\(CountText.of(packs.count, "pack")) of \(ByteText.of(packs.byteCount))" }
}
