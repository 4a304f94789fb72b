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
            which needs a key of role full; --read-data=5% takes packs at random.
            """)

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "Output")
    var output: OutputOptions

    /// The flag alone means 100%; see `Holdfast.withImpliedValues`.
    @Option(
        help: ArgumentHelp("Read and open all data; with =5%, packs at random that are such a share.", valueName: "share"))
    var readData: String?

    @Option(help: ArgumentHelp("Worker threads, instead of one a core.", valueName: "count"), transform: ArgumentValues.threadCount)
    var threads: Int?

    var console: Console { output.console }

    func validate() throws { _ = try data }

    var data: CheckOptions.Data {
        get throws {
            guard let readData else { return .structure }
            let percent = try ArgumentValues.percent(readData)
            return percent == 100 ? .all : .sample(percent: percent)
        }
    }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        var options = CheckOptions()
        options.threadCount = threads
        do { options.data = try data } catch { throw Failure("\(error)", status: .usage) }
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
            "Checked \(report.snapshotCount) snapshots, \(report.packCount) packs (\(report.openedPackCount) read whole) and \(report.chunkCount) chunks.")
        let errorCount = report.problems.count { $0.severity == .error }
        console.print(errorCount == 0 ? "No errors were found." : errorCount == 1 ? "1 error was found." : "\(errorCount) errors were found.")
        if report.problems.contains(where: { $0.severity == .error && ($0.object.hasPrefix("packs/") || $0.object.hasPrefix("maps/")) }) {
            console.print("A damaged pack that is moved out of the repository is missed at once: the next backup then stores again what a source still has. Keep the pack.")
        }
        console.print(json: [
            "type": "summary", "operation": "check", "snapshot_count": .count(report.snapshotCount), "pack_count": .count(report.packCount),
            "opened_pack_count": .count(report.openedPackCount), "chunk_count": .count(report.chunkCount), "error_count": .count(errorCount),
            "warning_count": .count(report.problems.count - errorCount),
        ])
    }
}
