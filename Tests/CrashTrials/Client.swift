import Bytes
import DiskImages
import ImageFixtures
import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage

/// A process that works on a repository: each has a number of its own, so that later ones find it dead.
struct Client {
    let repository: Repository
    /// What it will not be surprised at.
    private let damage: Damage?

    init(_ repository: Repository) { (self.repository, damage) = (repository, nil) }

    /// Nil if the key opens nothing there.
    ///
    /// - Throws: what is not about the key or about there being no repository.
    init?(_ storage: any StorageBackend, _ key: KeyFile, processID: UInt64, _ damage: Damage? = nil) throws {
        self.damage = damage
        do throws(RepositoryError) {
            repository = try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment(processID: processID))
        } catch {
            switch error {
            case .wrongCredential, .noRepository: return nil
            default: throw error
            }
        }
    }

    /// One thread, so that a run is repeated exactly.
    func backup(_ bytes: [UInt8]) throws -> Snapshot {
        var options = BackupOptions()
        options.threadCount = 1
        return try repository.backup(
            [BackupSource(MemoryImageReader(bytes), identity: SourceIdentity(kind: .file, imageName: "disk", path: "/disk"))],
            options: options, progress: ProgressCounters(), cancellation: Cancellation()).snapshot
    }

    func restore(_ snapshot: Snapshot) throws -> [UInt8] {
        let writer = MemoryImageWriter()
        var options = RestoreOptions()
        options.threadCount = 1
        _ = try repository.restore(
            try repository.image(nil, of: snapshot), to: writer, targetName: "memory", options: options, progress: ProgressCounters(),
            cancellation: Cancellation())
        return writer.contents
    }

    /// Forgotten ones too. A problem is a failure: who passes over it does nothing, and says that all went well.
    func snapshots() throws -> [Snapshot] {
        let list = try repository.snapshots(includingForgotten: true)
        let problems = list.problems.filter { damage?.explains($0) != true }
        try require(problems.isEmpty, "\(problems.map { "\($0.object): \($0.reason)" })")
        return list.snapshots
    }

    func mark(_ ids: [SnapshotID], _ kind: Mark.Kind) throws {
        try repository.mark(try snapshots().filter { ids.contains($0.id) }, kind)
    }

    /// Of somebody who dies on the way, and does not care for what it says.
    func prune() throws { _ = try repository.prune(cancellation: Cancellation()) }

    /// To its end: nobody else works on the repository. What a prune could not read stays, and it says so.
    func pruneWithoutWaiting() throws {
        let report = try repository.prune(cancellation: Cancellation())
        try require(report.waitsFor.isEmpty, "the prune waits for a session though none runs")
        try require(report.problems.isEmpty, "\(report.problems.map { "\($0.object): \($0.reason)" })")
    }

    func plan() throws -> PrunePlan { try repository.prunePlan(cancellation: Cancellation()) }

    /// Whatever it takes, and what is lost is given up.
    func repair(isDryRun: Bool = false) throws -> RepairReport {
        var options = RepairOptions()
        options.data = .all
        options.threadCount = 1
        options.isDryRun = isDryRun
        options.dropsLostSnapshots = true
        return try repository.repair(options, progress: ProgressCounters(), cancellation: Cancellation())
    }

    /// With every byte of every pack.
    func problems() throws -> [Problem] {
        var options = CheckOptions()
        options.data = .all
        options.threadCount = 1
        return try repository.check(options, progress: ProgressCounters(), cancellation: Cancellation()).problems
    }
}
