import ArgumentParser
import ImageRepository
import RepositoryFormat

/// `holdfast check`
struct CheckCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look for damage.",
        discussion: """
            Objects, the index and the maps of all snapshots are read and verified. With --read-data every byte of every pack is too, \
            and each part of a chunk that a map refers to, which needs a key of role full; --read-data=5% takes packs at random.
            """)

    @OptionGroup
    var inspection: InspectionOptions

    var console: Console { inspection.output.console }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try inspection.repository.open(console)
        var options = CheckOptions()
        options.threadCount = inspection.threads
        options.data = try inspection.validData()
        let checked = options
        let report = try Operation(console: console, kind: .check).run { (progress, cancellation) throws(RepositoryError) in
            try repository.check(checked, progress: progress, cancellation: cancellation)
        }
        tell(report, console)
        return report.isClean ? .done : .failed
    }

    private func tell(_ report: CheckReport, _ console: Console) {
        ProblemText.report(report.problems, console)
        console.print(
            "Checked \(CountText.of(report.snapshotCount, "snapshot")), \(CountText.of(report.packCount, "pack")) (\(report.openedPackCount) read whole) and \(CountText.of(report.chunkCount, "chunk")).")
        if report.comparedPartCount > 0 {
            let sample = report.partSample == 1 ? "" : ", of one chunk in \(report.partSample); the next time of others"
            console.print("Compared \(CountText.of(report.comparedPartCount, "reference")) to parts of chunks with the chunks\(sample).")
        }
        let errorCount = report.problems.count { $0.severity == .error }
        console.print(errorCount == 0 ? "No errors were found." : "\(CountText.of(errorCount, "error")) \(errorCount == 1 ? "was" : "were") found.")
        if report.quarantinedCount > 0 { console.print("Kept in quarantine by repairs, and no concern of a check: \(report.quarantinedCount).") }
        if report.problems.contains(where: CheckCommand.isMended) {
            console.print("“holdfast repair” mends what can be mended, has backups store again what damaged packs held, and lists what is lost. “--dry-run” shows it first.")
        }
        console.print(json: [
            "type": "summary", "operation": "check", "snapshot_count": .count(report.snapshotCount), "pack_count": .count(report.packCount),
            "opened_pack_count": .count(report.openedPackCount), "chunk_count": .count(report.chunkCount),
            "compared_part_count": .count(report.comparedPartCount), "part_sample": .count(report.partSample), "error_count": .count(errorCount),
            "warning_count": .count(report.problems.count - errorCount), "quarantined_count": .count(report.quarantinedCount),
        ])
    }

    /// Whether a repair does more about it than to name it.
    private static func isMended(_ problem: Problem) -> Bool {
        problem.severity == .error
            && ["packs/", "maps/", "index/", "sessions/", "condemned/", "snapshots/", "chunk ", "map chunk "].contains { problem.object.hasPrefix($0) }
    }
}
