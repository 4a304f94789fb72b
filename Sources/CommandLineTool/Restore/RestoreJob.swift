import Bytes
import DiskImages
import Glibc
import ImageRepository
import RepositoryFormat

/// One image, or one volume of it, and the target it goes to.
struct RestoreJob {
    let image: ImageRecord
    let snapshot: SnapshotID
    /// What is restored, in words.
    let what: String
    /// Nil for standard output.
    let target: String?
    let fitted: FittedImage?
    /// Nil for standard output.
    let plan: RestorePlan?
    var options = RestoreOptions()
    /// The folder where file systems become smaller; nil for one that suits.
    var scratch: String?

    private var targetName: String { target ?? "standard output" }

    /// What would be done, and how the target would be laid out.
    func describe(_ console: Console) {
        console.print("Would restore \(what), \(ByteText.of(image.byteCount)), to \(targetName).")
        console.print(plan?.consequences ?? [])
        console.print(LayoutText.lines(image, fitted).map { "  \($0)" })
        let partitions = (fitted?.partitions ?? []).map { partition -> JSONValue in
            [
                "number": .count(partition.number), "old_offset": .count(partition.old.lowerBound), "old_byte_count": .count(partition.old.upperBound - partition.old.lowerBound),
                "offset": .count(partition.new.lowerBound), "byte_count": .count(partition.new.upperBound - partition.new.lowerBound),
            ]
        }
        console.print(json: [
            "type": "plan", "operation": "restore", "snapshot_id": .string(snapshot.hexadecimal), "image": .string(image.name), "image_byte_count": .count(image.byteCount),
            "target": .string(target ?? "-"), "target_byte_count": .count(fitted?.byteCount ?? image.byteCount), "overwrites": .bool(plan?.overwrites ?? false),
            "consequences": .strings(plan?.consequences ?? []), "partitions": .array(partitions),
        ])
    }

    /// Restores, resizes and reports.
    func run(_ repository: Repository, _ console: Console) throws(Failure) -> ExitStatus {
        let start = Clock.monotonicMilliseconds
        let resizer = PartitionResizer(image: image, repository: repository, console: console, threadCount: options.threadCount)
        // Without loop devices a file system grows where others shrink.
        let growing = LoopDevice.isPossible ? fitted?.partitions.filter { $0.isResized && !$0.isSmaller } ?? [] : []
        let shrinking = fitted?.partitions.filter { $0.isSmaller || growing.isEmpty && $0.isResized && PartitionResizer.knows($0) } ?? []
        let (report, isWhole) = try resized(shrinking, resizer, fitted) { (fitted) throws(Failure) in try restore(fitted, repository, console) }
        if options.verifies, !report.isVerified {
            throw Failure("interrupted; \(targetName) is complete\(growing.isEmpty ? "" : ", but for the size of its file systems"), but was not read back to its end", status: .interrupted)
        }
        if let target { for partition in growing { try resizer.grow(partition, on: target) } }
        if options.discards, report.discardedByteCount == nil { console.warn("\(targetName) takes no discards; what nobody needs is as it was") }
        for warning in fitted.map({ TargetWarnings.all(image, $0) }) ?? [] { console.warn(warning) }
        RestoreReporter(console: console).report(
            report, what, snapshot: snapshot, image: image, target: targetName, isStream: target == nil, milliseconds: Clock.monotonicMilliseconds - start)
        return report.unreadable.isEmpty && isWhole ? .done : .incomplete
    }

    private func restore(_ fitted: FittedImage?, _ repository: Repository, _ console: Console) throws(Failure) -> RestoreReport {
        var options = options
        options.fitted = fitted
        let writer: any ImageWriter = try imageCall { () throws(ImageError) in
            if let target { try TargetOpener(overwrite: true).open(path: target) } else { OutputStreamWriter() }
        }
        do throws(Failure) {
            return try Operation(console: console, kind: .restore).run { (progress, cancellation) throws(RepositoryError) in
                try repository.restore(image, to: writer, targetName: targetName, options: options, progress: progress, cancellation: cancellation)
            }
        } catch {
            var failure = error
            // A file that the restore made is removed again; anything else is left as it is.
            let isGone = target.map { unsafe access($0, F_OK) != 0 } ?? false
            failure.message += isGone ? "; what was written of \(targetName) was removed again" : "; \(targetName) is not complete and must not be used"
            throw failure
        }
    }

    /// Runs `body` with an image in which these partitions have their new sizes already, before anything is written to the target.
    ///
    /// - Returns: besides the result, whether all of these partitions could be read when the snapshot was made.
    private func resized<Result>(
        _ partitions: [FittedImage.Partition], _ resizer: PartitionResizer, _ fitted: FittedImage?, _ body: (FittedImage?) throws(Failure) -> Result
    ) throws(Failure) -> (Result, isWhole: Bool) {
        guard let fitted, let partition = partitions.first else { return (try body(fitted), true) }
        return try resizer.withResized(partition, in: try scratchParent()) { (reader, isWhole) throws(Failure) in
            var next = fitted
            next.replace(partition, with: reader)
            let (result, areOthersWhole) = try resized(Array(partitions.dropFirst()), resizer, next, body)
            return (result, isWhole && areOthersWhole)
        }
    }

    /// Beside a file; for a device where temporary files are kept.
    private func scratchParent() throws(Failure) -> String {
        if let scratch { return scratch }
        guard let target else { return "." }
        var status = stat()
        if unsafe stat(target, &status) == 0, status.st_mode & S_IFMT == S_IFBLK { return EnvironmentVariable.text("TMPDIR") ?? "/var/tmp" }
        return target.lastIndex(of: "/").map { String(target[...$0]) } ?? "."
    }
}
