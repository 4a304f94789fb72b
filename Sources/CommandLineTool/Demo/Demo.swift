import DiskImages
import ImageRepository
import LocalStorage
import RepositoryFormat
import Sealing

/// The main job from end to end, on a disk of its own, told as it goes.
struct Demo {
    let folder: String
    let console: Console

    private let cancellation = Cancellation()

    init(folder: String, console: Console) {
        self.folder = folder
        self.console = console
    }

    func run() throws(Failure) {
        let cancellation = cancellation
        let response = Interruption.Response(message: "stopping as soon as it can") { cancellation.cancel() }
        do throws(Failure) {
            try Interruption.responding(with: response) { () throws(Failure) in try tell() }
        } catch {
            throw cancellation.isCancelled ? .interrupted : error
        }
    }

    private func tell() throws(Failure) {
        console.print("Two snapshots of a disk, and back again. Everything happens in \(folder).")
        console.print()
        let disk = DemoDisk(path: "\(folder)/disk.img")
        let tree = try DemoTree(folder: "\(folder)/tree")
        try disk.make(from: tree)
        console.print(
            "Made a disk of \(ByteText.of(DemoDisk.byteCount)): GPT, and ext4 with \(tree.fileCount) files of \(ByteText.of(tree.byteCount)), many from this machine.")
        let repository = try makeRepository()
        console.print("Made an encrypted repository, opened by a key file.")

        let first = try backup(disk, repository, "first")
        try disk.copy(to: "\(folder)/first.img")
        let newFile = "\(folder)/report"
        try DemoTree.write(DemoTree.noise(byteCount: 2 << 20, seed: 2), to: newFile)
        let removedCount = try disk.change(tree, newFile: newFile, commandFile: "\(folder)/changes")
        console.print("Changed the disk in place: \(removedCount) programs removed, a file of 2MiB added.")
        let second = try backup(disk, repository, "second")
        console.print()
        let list = try repositoryCall { () throws(RepositoryError) in try repository.snapshots() }
        console.print(SnapshotText.table(list.snapshots).lines)
        console.print()
        try requireSmall(second, after: first)

        try restore(first, repository, "first", original: "\(folder)/first.img")
        try restore(second, repository, "second", original: disk.path)
        try DemoDisk(path: "\(folder)/second-restored.img").checkFileSystem()
        console.print("The restored file system is clean, says e2fsck.")
        try check(repository)
        try conclude(repository)
    }

    private func makeRepository() throws(Failure) -> Repository {
        let key = KeyFile.random()
        try KeyFiles.write(key, to: "\(folder)/key")
        var environment = ThisMachine.environment(console)
        environment.cacheFolder = "\(folder)/cache"
        environment.stateFolder = "\(folder)/state"
        let storage = LocalStorage(path: "\(folder)/repository")
        return try repositoryCall { () throws(RepositoryError) in
            try Repository.create(on: storage, credential: .keyFile(key), options: .init(), environment: environment).repository
        }
    }

    private func backup(_ disk: DemoDisk, _ repository: Repository, _ name: String) throws(Failure) -> Snapshot {
        let reader = try imageCall { () throws(ImageError) in try FileImageReader(path: disk.path) }
        var options = BackupOptions()
        options.tags = [name]
        let chosen = options
        let start = Clock.monotonicMilliseconds
        let report = try repositoryCall { () throws(RepositoryError) in
            try repository.backup(
                [BackupSource(reader, identity: reader.identity)], options: chosen, progress: ProgressCounters(), cancellation: cancellation)
        }
        for warning in report.warnings { console.warn(warning) }
        let counters = report.snapshot.manifest.counters
        console.print(
            "The \(name) snapshot took \(Clock.monotonicMilliseconds - start) ms: \(ByteText.of(counters.readByteCount)) read, "
                + "\(ByteText.of(counters.newByteCount)) new, stored in \(ByteText.of(counters.storedByteCount)).")
        return report.snapshot
    }

    /// That is what deduplication is for.
    private func requireSmall(_ second: Snapshot, after first: Snapshot) throws(Failure) {
        let (before, after) = (first.manifest.counters.storedByteCount, second.manifest.counters.storedByteCount)
        guard after < before / 4 else {
            throw Failure("the second snapshot stored \(ByteText.of(after)), hardly less than the first: nothing was recognised")
        }
        let permille = after * 1000 / max(before, 1)
        console.print("The second one stored \(permille / 10).\(permille % 10)% of what the first did.")
    }

    private func restore(_ snapshot: Snapshot, _ repository: Repository, _ name: String, original: String) throws(Failure) {
        let target = "\(folder)/\(name)-restored.img"
        let writer = try imageCall { () throws(ImageError) in try TargetOpener(overwrite: false).open(path: target) }
        let start = Clock.monotonicMilliseconds
        _ = try repositoryCall { () throws(RepositoryError) in
            try repository.restore(
                try repository.image(nil, of: snapshot), to: writer, targetName: target, options: RestoreOptions(),
                progress: ProgressCounters(), cancellation: cancellation)
        }
        let milliseconds = Clock.monotonicMilliseconds - start
        let difference = try imageCall { () throws(ImageError) in try ImageComparison.firstDifference(original, target) }
        guard difference == nil else {
            throw Failure("\(target): it differs from the disk at byte \(difference ?? 0); --folder keeps everything for a look")
        }
        console.print("Restored the \(name) snapshot in \(milliseconds) ms: identical, byte for byte, to the disk as it was then.")
    }

    private func check(_ repository: Repository) throws(Failure) {
        var options = CheckOptions()
        options.data = .all
        let chosen = options
        let report = try repositoryCall { () throws(RepositoryError) in
            try repository.check(chosen, progress: ProgressCounters(), cancellation: cancellation)
        }
        ProblemText.report(report.problems, console)
        guard report.isClean else { throw Failure("the check of all data found errors") }
        console.print("Checked every byte of \(CountText.of(report.packCount, "pack")) and \(CountText.of(report.chunkCount, "chunk")): no errors.")
    }

    private func conclude(_ repository: Repository) throws(Failure) {
        let statistics = try repositoryCall { () throws(RepositoryError) in try repository.statistics() }
        console.print(
            "\(ByteText.of(statistics.imageByteCount)) of images take \(ByteText.of(statistics.storedByteCount)) in the repository.")
        console.print()
        console.print("The same with a disk of yours, as root:")
        console.print("  holdfast init --repository /srv/backup")
        console.print("  holdfast backup --repository /srv/backup /dev/sda")
        console.print("  holdfast restore --repository /srv/backup latest /dev/sdb")
    }
}
