import Bytes
import CLinux
import DiskImages
import ImageRepository
import Synchronization

/// The commands that `backup` runs before and after.
struct BackupHooks {
    /// How a backup ended that did not fail.
    struct Ending {
        var status: ExitStatus
        var snapshot: SnapshotID
    }

    let before: String?
    let after: String?
    /// Frozen while `before` runs, and not longer.
    let freeze: SourceFreeze?
    let console: Console

    /// Runs `body` between the two. Once the first has succeeded the second is run, whatever happens but the death of this process.
    func around(_ body: () throws(Failure) -> Ending) throws(Failure) -> ExitStatus {
        let problems = try runBefore()
        guard let after else {
            if let problem = problems.first { throw Failure(problem) }
            return try body().status
        }
        let ending: Result<Ending, Failure>
        do throws(Failure) {
            // Whatever asks to stop between the parts of the body stops the next one.
            let stop = Interruption.Response(message: "stopping as soon as it can, and running --after") {}
            ending = .success(
                try Interruption.responding(with: stop) { () throws(Failure) in
                    if let problem = problems.first { throw Failure(problem) }
                    return try body()
                })
        } catch {
            ending = .failure(error)
        }
        let hasSucceeded = run(after, ending)
        let end = try ending.get()
        return end.status == .done && !hasSucceeded ? .afterFailed : end.status
    }

    /// Answers why what was frozen did not stay so.
    private func runBefore() throws(Failure) -> [String] {
        guard let before else { return [] }
        let command = ShellCommand(before)
        let isStopped = Atomic<Bool>(false)
        let stop = Interruption.Response(message: "stopping the command of --before") { [freeze] in
            isStopped.store(true, ordering: .releasing)
            freeze?.release()
            command.cancel()
        }
        do throws(ImageError) {
            return try Interruption.responding(with: stop) { () throws(ImageError) in
                try freeze?.begin()
                do throws(ImageError) { try atUsualPriority(command) } catch {
                    for problem in freeze?.end() ?? [] { console.warn(problem) }
                    throw error
                }
                return freeze?.end() ?? []
            }
        } catch {
            if isStopped.load(ordering: .acquiring) { throw .interrupted }
            throw Failure("--before: \(error); nothing was backed up")
        }
    }

    /// This thread may read at idle priority, which the command would inherit.
    private func atUsualPriority(_ command: ShellCommand, _ variables: [String] = []) throws(ImageError) {
        let priority = holdfast_io_priority()
        _ = holdfast_set_io_priority(0)
        defer { _ = holdfast_set_io_priority(priority) }
        try command.run(variables: variables)
    }

    /// Whether it succeeded; else a warning was given.
    private func run(_ after: String, _ ending: Result<Ending, Failure>) -> Bool {
        let command = ShellCommand(after)
        let stop = Interruption.Response(message: "stopping the command of --after", stop: command.cancel)
        let snapshot: SnapshotID? = if case .success(let end) = ending { end.snapshot } else { nil }
        let status = switch ending {
        case .success(let end): end.status
        case .failure(let failure): failure.status
        }
        do throws(ImageError) {
            try Interruption.responding(with: stop) { () throws(ImageError) in
                try atUsualPriority(command, ["HOLDFAST_STATUS=\(status.rawValue)", "HOLDFAST_SNAPSHOT=\(snapshot?.hexadecimal ?? "")"])
            }
            return true
        } catch {
            console.warn("--after: \(error)" + (snapshot.map { "; the snapshot \(SnapshotText.short($0)) is there" } ?? ""))
            return false
        }
    }
}
