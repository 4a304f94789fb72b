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
            A new file is sparse. Onto a device or a file that holds something like the image only what differs is written. Before anything is overwritten you are asked; --yes \
            answers it. A mounted device is refused. Several disks of a snapshot are restored at once with --disk for each, and no TARGET.
            """)

    @Argument(help: "SNAPSHOT, or SNAPSHOT:IMAGE if it has several images.")
    var snapshot: String

    @Argument(help: "A file, a block device, or - for standard output.", completion: .file())
    var target: String?

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "Selection")
    var selection: SelectionOptions

    @OptionGroup(title: "Output")
    var output: OutputOptions

    @Option(name: .customLong("disk"), help: ArgumentHelp("Restore this image of the snapshot to this target; may be repeated.", valueName: "image=target"))
    var disks: [String] = []

    @Option(help: ArgumentHelp(VolumeChoice.help, valueName: "partition"))
    var partition: String?

    @Option(help: ArgumentHelp("Make a target that is a file so large, such as 64GiB: a disk of another size.", valueName: "size"), transform: ArgumentValues.byteCount)
    var size: UInt64?

    @Option(
        name: .customLong("resize"),
        help: ArgumentHelp(
            "Give a partition so many bytes, or without a size all that the others leave; ext2, ext3, ext4 and NTFS in it become larger or smaller with it. May be repeated.",
            valueName: "partition[=size]"), transform: ResizeRequest.init(parsing:))
    var resizes: [ResizeRequest] = []

    @Option(help: ArgumentHelp("Where file systems become smaller, in files as large as what they hold.", valueName: "folder"), completion: .directory)
    var scratch: String?

    @Flag(name: .customLong("new-ids"), help: "Give the disk and its partitions new ids, so that it can stand beside the one it was read from.")
    var newIDs = false

    @Flag(help: "Let a device or file that held something forget the ranges that nobody needs; otherwise they keep what they held.")
    var discard = false

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
        if (target == nil) == disks.isEmpty { throw ValidationError("Name one TARGET, or a --disk IMAGE=TARGET for each disk.") }
        if isStream, output.json { throw ValidationError("Standard output cannot take the image and JSON: restore to a file.") }
        if isStream, discard { throw ValidationError("Standard output cannot forget anything: --discard needs a file or a device.") }
        if isStream, verify { throw ValidationError("Standard output cannot be read back: --verify needs a file or a device.") }
        if partition != nil, size != nil || newIDs || !resizes.isEmpty { throw ValidationError("--size, --resize and --new-ids are for whole disks.") }
        if isStream, size != nil || newIDs || !resizes.isEmpty {
            throw ValidationError("Standard output cannot take a disk of another size or with other ids: restore to a file.")
        }
        if !disks.isEmpty, partition != nil || size != nil || !resizes.isEmpty { throw ValidationError("--partition, --size and --resize are for one disk at a time.") }
        if target == "" { throw ValidationError("The target's name is empty.") }
    }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let name = try SnapshotName(parsing: snapshot)
        let mappings = try DiskMapping.parse(disks)
        if !mappings.isEmpty, name.image != nil { throw Failure("--disk names the images; name only the snapshot before it", status: .usage) }
        if isStream, !dryRun, isatty(STDOUT_FILENO) == 1 {
            throw Failure("standard output is a terminal; redirect it to a file or a program", status: .usage)
        }
        let repository = try repository.open(console)
        try requireFullRole(repository, to: "restore")
        let snapshot = try SnapshotFinder(repository: repository, host: selection.host, tags: selection.tags).find(name)
        var jobs: [RestoreJob] = []
        if let target { jobs.append(try job(name.image, target, snapshot, repository)) }
        for mapping in mappings { jobs.append(try job(mapping.image, mapping.target, snapshot, repository)) }
        if dryRun {
            for job in jobs { job.describe(console) }
            return .done
        }
        try RestorePlan.confirm(jobs, isAnswered: yes, console)
        var status = ExitStatus.done
        for job in jobs where try job.run(repository, console) != .done { status = .incomplete }
        return status
    }

    private func job(_ imageName: String?, _ target: String, _ snapshot: Snapshot, _ repository: Repository) throws(Failure) -> RestoreJob {
        var image = try repositoryCall { () throws(RepositoryError) in try repository.image(imageName, of: snapshot) }
        var called = image.name
        if let partition {
            let part = try VolumeChoice.part(of: image, named: partition)
            (image, called) = (part.image, "\(part.name) of \(image.name)")
        }
        let fitted = isStream || partition != nil ? nil : try DiskFitting(target: target, size: size, newIDs: newIDs, resizes: resizes, repository: repository).fit(image)
        var job = RestoreJob(
            image: image, snapshot: snapshot.id,
            what: "\(called) of snapshot \(SnapshotText.short(snapshot.id)) (\(snapshot.manifest.host), \(TimeText.short(snapshot.manifest.startTime)))",
            target: isStream ? nil : target, fitted: fitted,
            plan: isStream ? nil : try RestorePlan(target: target, image: image, fitted: fitted, snapshot: snapshot, repository: repository))
        job.options.verifies = verify
        job.options.discards = discard
        job.options.threadCount = threads
        job.scratch = scratch
        return job
    }
}
