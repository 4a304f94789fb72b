import ArgumentParser
import Bytes
import DiskImages
import Glibc
import ImageRepository
import RepositoryFormat

/// `holdfast restore`
struct RestoreCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Write an image of a snapshot to a file, a block device or standard output.",
        discussion: """
            A new file is sparse. Onto a device or a file that holds something only what differs is written, after a question; --yes \
            answers it. A mounted device is refused.
            """)

    @Argument(help: "SNAPSHOT, or SNAPSHOT:IMAGE if it has several images.")
    var snapshot: String

    @Argument(help: "A file, a block device, or - for standard output.", completion: .file())
    var target: String

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "Selection")
    var selection: SelectionOptions

    @OptionGroup(title: "Output")
    var output: OutputOptions

    @Option(help: ArgumentHelp(VolumeChoice.help, valueName: "partition"))
    var partition: String?

    @Option(help: ArgumentHelp("Make a target that is a file so large, such as 64GiB: a disk of another size.", valueName: "size"), transform: ArgumentValues.byteCount)
    var size: UInt64?

    @Flag(name: .customLong("new-ids"), help: "Give the disk and its partitions new ids, so that it can stand beside the one it was read from.")
    var newIDs = false

    @Flag(help: "Read the target back afterwards, and compare.")
    var verify = false

    @Flag(help: "Overwrite what the target holds without asking.")
    var yes = false

    @Flag(help: "Say what would be done, and do nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("Worker threads, instead of as many as suit the machine.", valueName: "count"), transform: ArgumentValues.threadCount)
    var threads: Int?

    var console: Console { output.console }

    private var isStream: Bool { target == "-" }

    func validate() throws {
        if isStream, output.json { throw ValidationError("Standard output cannot take the image and JSON: restore to a file.") }
        if isStream, verify { throw ValidationError("Standard output cannot be read back: --verify needs a file or a device.") }
        if partition != nil, size != nil || newIDs { throw ValidationError("--size and --new-ids are for whole disks.") }
        if isStream, size != nil || newIDs { throw ValidationError("Standard output cannot take a disk of another size or with other ids: restore to a file.") }
        if target.isEmpty { throw ValidationError("The target's name is empty.") }
    }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let name = try SnapshotName(parsing: snapshot)
        if isStream, !dryRun, isatty(STDOUT_FILENO) == 1 {
            throw Failure("standard output is a terminal; redirect it to a file or a program", status: .usage)
        }
        let repository = try repository.open(console)
        try requireFullRole(repository, to: "restore")
        let snapshot = try SnapshotFinder(repository: repository, host: selection.host, tags: selection.tags).find(name)
        var image = try repositoryCall { () throws(RepositoryError) in try repository.image(name.image, of: snapshot) }
        var called = image.name
        if let partition {
            let part = try VolumeChoice.part(of: image, named: partition)
            (image, called) = (part.image, "\(part.name) of \(image.name)")
        }
        let fitted = isStream || partition != nil ? nil : try DiskFitting(target: target, size: size, newIDs: newIDs).fit(image)
        let what = "\(called) of snapshot \(SnapshotText.short(snapshot.id)) (\(snapshot.manifest.host), \(TimeText.short(snapshot.manifest.startTime)))"
        let plan = isStream ? nil : try RestorePlan(target: target, image: image, fitted: fitted, snapshot: snapshot, repository: repository)
        if dryRun {
            describe(what, snapshot.id, image, plan, console)
            return .done
        }
        if let plan { try plan.confirm(what, isAnswered: yes, console) }
        return try restore(image, fitted, of: snapshot.id, what, plan, repository, console)
    }

    private func describe(_ what: String, _ snapshot: SnapshotID, _ image: ImageRecord, _ plan: RestorePlan?, _ console: Console) {
        console.print("Would restore \(what), \(ByteText.of(image.byteCount)), to \(isStream ? "standard output" : target).")
        console.print(plan?.consequences ?? [])
        console.print(json: [
            "type": "plan", "operation": "restore", "snapshot_id": .string(snapshot.hexadecimal), "image": .string(image.name), "image_byte_count": .count(image.byteCount),
            "target": .string(target), "overwrites": .bool(plan?.overwrites ?? false), "consequences": .strings(plan?.consequences ?? []),
        ])
    }

    private func restore(
        _ image: ImageRecord, _ fitted: FittedImage?, of snapshot: SnapshotID, _ what: String, _ plan: RestorePlan?, _ repository: Repository, _ console: Console
    ) throws(Failure) -> ExitStatus {
        var options = RestoreOptions()
        options.verifies = verify
        options.fitted = fitted
        options.threadCount = threads
        let targetName = isStream ? "standard output" : target
        let writer: any ImageWriter = try imageCall { () throws(ImageError) in
            if plan == nil { OutputStreamWriter() } else { try TargetOpener(overwrite: true).open(path: target) }
        }
        let start = Clock.monotonicMilliseconds
        let report: RestoreReport
        do throws(Failure) {
            report = try Operation(console: console, kind: .restore).run {
                (progress, cancellation) throws(RepositoryError) in
                try repository.restore(
                    image, to: writer, targetName: targetName, options: options, progress: progress, cancellation: cancellation)
            }
        } catch {
            var failure = error
            // A file that the restore made is removed again; anything else is left as it is.
            let isGone = unsafe !isStream && access(target, F_OK) != 0
            failure.message += isGone ? "; what was written of \(targetName) was removed again" : "; \(targetName) is not complete and must not be used"
            throw failure
        }
        RestoreReporter(console: console).report(
            report, what, snapshot: snapshot, image: image.name, target: targetName, isStream: isStream, milliseconds: Clock.monotonicMilliseconds - start)
        if verify, !report.isVerified { throw Failure("interrupted; \(targetName) is complete, but was not read back to its end", status: .interrupted) }
        return report.unreadable.isEmpty ? .done : .incomplete
    }
}
