import ArgumentParser
import CLinux
import DiskImages
import ImageRepository
import LocalStorage
import RepositoryFormat

/// `holdfast backup`
struct BackupCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Store images of disks or files as a new snapshot.",
        discussion: """
            Several sources become the images of one snapshot. What an earlier snapshot of the same image holds is not stored again. \
            After an interruption run the same command again: what was stored is found.
            """)

    @Argument(help: "Block devices, image files, or exports of NBD servers: nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH.", completion: .file())
    var source: [String] = []

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "Output")
    var output: OutputOptions

    @OptionGroup(title: "Streams")
    var streams: StreamOptions

    @OptionGroup(title: "Consistency")
    var consistency: ConsistencyOptions

    @OptionGroup(title: "Changed blocks")
    var changes: ChangeOptions

    @Option(help: "What to call the image, instead of its path or the disk's serial number; only for a single source.")
    var imageName: String?

    @Option(help: "What to call this machine, instead of its host name.")
    var host: String?

    @Option(name: .customLong("tag"), help: "A tag for the snapshot; may be repeated.")
    var tags: [String] = []

    @Option(help: "A line about the snapshot.")
    var description = ""

    @Option(
        help: ArgumentHelp("none, or 1 (fast) to 12 (small).", valueName: "level"), transform: ArgumentValues.compression)
    var compression = ArgumentValues.Compression.level(3)

    @Option(
        help: ArgumentHelp("The snapshot to compare with, instead of the newest of the same host and image; none reads everything.", valueName: "id"))
    var parent: String?

    @Option(
        help: ArgumentHelp("Read at most so many bytes a second, such as 50MiB.", valueName: "rate"), transform: ArgumentValues.rate)
    var limitRate: UInt64?

    @Option(help: ArgumentHelp("Worker threads, instead of one a core.", valueName: "count"), transform: ArgumentValues.threadCount)
    var threads: Int?

    @Flag(help: "Back up every block, also those that no file system uses: a restored disk is equal in every bit.")
    var allBlocks = false

    @Flag(help: "Leave out what page files of Windows hold, and the memory of a hibernated Linux: a restored system starts anew.")
    var skipPageFiles = false

    @Flag(help: "Recognise what is unchanged by its full id, not by a fingerprint.")
    var rehash = false

    var console: Console { output.console }

    func validate() throws {
        if source.isEmpty, !streams.isGiven { throw ValidationError("Name at least one SOURCE, --stdin-name or --stdin-command.") }
        if imageName != nil, source.count + (streams.isGiven ? 1 : 0) != 1 { throw ValidationError("--image-name is for a single source.") }
        if changes.changedMap != nil, source.count != 1 || streams.isGiven { throw ValidationError("--changed-map is for a single source, a file, device or export.") }
        if changes.dirtyBitmap != nil || changes.nextBitmap != nil, !source.contains(where: NBDImageReader.isName) {
            throw ValidationError("Dirty bitmaps are for sources of NBD servers.")
        }
        let names = tags + [imageName, host, streams.stdinName].compactMap { $0 }
        if names.contains(where: { $0.utf8.count > 1024 }) { throw ValidationError("Names and tags have at most 1024 bytes.") }
        if allBlocks, skipPageFiles { throw ValidationError("--all-blocks backs up every block, and --skip-page-files leaves some out.") }
        if imageName == "" || host == "" || tags.contains("") { throw ValidationError("Names and tags must not be empty.") }
        if imageName != nil, streams.stdinName != nil { throw ValidationError("--stdin-name names the image already.") }
    }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        // The machine is in use: others come first, unless they wait for us. Threads started later inherit this.
        if consistency.mountPoints.isEmpty { _ = holdfast_idle_io_priority() }
        let frozen = try frozenFileSystems()
        // Sources first, so that a mistyped path costs nobody a password; but --before may be what makes them.
        let early = consistency.before == nil ? try openSources(frozen, console) : nil
        let freeze = try consistency.freeze(frozen)
        let isForReading = consistency.freezeDuring == .reading
        let held = HeldReading(isForReading ? freeze : nil, inspects: !allBlocks, skipsPageFiles: skipPageFiles, console: console)
        let repository = try repository.open(console) { if let early, freeze == nil { held.lookAhead(at: early.sources) } }
        let options = try backupOptions(repository)
        let hooks = BackupHooks(before: consistency.before, after: consistency.after, freeze: isForReading ? nil : freeze, console: console)
        return try hooks.around { () throws(Failure) in
            let sources = if let early { early } else { try openSources(nil, console) }
            return try backUp(sources, held, repository, options)
        }
    }

    private func backUp(
        _ opened: BackupSources, _ held: HeldReading, _ repository: Repository, _ options: BackupOptions
    ) throws(Failure) -> BackupHooks.Ending {
        var options = options
        options.reading = held.hooks
        let operation = Operation(console: console, kind: .backup, onStopNote: "; what was stored is kept for the next backup") { [stop = opened.stop] in
            held.release()
            stop()
        }
        let start = Clock.monotonicMilliseconds
        let report: BackupReport
        do throws(Failure) {
            report = try operation.run { (progress, cancellation) throws(RepositoryError) in
                try repository.backup(opened.sources, options: options, progress: progress, cancellation: cancellation)
            }
        } catch {
            held.warn()
            throw error
        }
        BackupReporter(console: console).report(report, milliseconds: Clock.monotonicMilliseconds - start)
        return BackupHooks.Ending(status: report.snapshot.manifest.isComplete ? .done : .incomplete, snapshot: report.snapshot.id)
    }

    /// Those that `--freeze` names, as long as this program does not write to them.
    private func frozenFileSystems() throws(Failure) -> [MountedFileSystem] {
        guard !consistency.mountPoints.isEmpty else { return [] }
        return try consistency.fileSystems(keeping: WrittenPlace.all(repository: repository.storage().place))
    }

    private func openSources(_ frozen: [MountedFileSystem]?, _ console: Console) throws(Failure) -> BackupSources {
        let opened = try BackupSources(paths: source, streams: streams, imageName: imageName, changes: changes, frozen: frozen)
        for warning in opened.warnings { console.warn(warning) }
        return opened
    }

    private func backupOptions(_ repository: Repository) throws(Failure) -> BackupOptions {
        var options = BackupOptions()
        options.host = host
        options.tags = tags
        options.description = description
        switch compression {
        case .none: options.compressionLevel = nil
        case .level(let level): options.compressionLevel = level
        }
        options.threadCount = threads
        options.readLimit = limitRate
        options.rehashes = rehash
        options.auditShare = changes.audit
        switch parent {
        case nil: options.parent = .automatic
        case "none": options.parent = .none
        case let name?:
            let name = try SnapshotName(parsing: name)
            guard name.image == nil else { throw Failure("--parent names a snapshot, without an image", status: .usage) }
            options.parent = .snapshot(try SnapshotFinder(repository: repository).find(name).id)
        }
        return options
    }
}
