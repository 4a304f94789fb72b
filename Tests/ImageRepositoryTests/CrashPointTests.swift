import Bytes
import DiskImages
import ImageFixtures
@testable import ImageRepository
import Packing
import RepositoryFormat
import Sealing
import Storage
import Testing
import TestSupport

/// Every call of the storage fails, or is the last that the process makes, in turn.
struct CrashPointTests {
    /// What is interrupted.
    enum Operation: String, CaseIterable {
        case initialize
        case firstBackup
        case incrementalBackup
        case addKey
        case removeKey
        case changeKey
        case prune
    }

    private static let failed = StorageError.failed(object: "storage", operation: "a call", reason: "injected")
    private static let lost = StorageError.unavailable(object: "storage", reason: "injected")
    private static let faults: [StorageFault] = [.crashBefore, .crashAfter, .fails(failed), .fails(lost), .replyLost(lost)]

    @Test(arguments: Operation.allCases) func `whatever call is interrupted, nothing acknowledged is lost`(operation: Operation) throws {
        let scenario = try Scenario(operation)
        let count = try scenario.run(nil, at: 0).operationCount
        var points = 0
        var acknowledged = 0
        for position in 0..<count {
            for fault in Self.faults {
                let run = try scenario.run(fault, at: position)
                if run.isAcknowledged { acknowledged += 1 }
                for (left, storage) in run.left {
                    let comment: Comment = "\(operation), \(fault) at call \(position) (\(run.operation)), \(left)"
                    do { try scenario.expectSound(storage, run, comment) } catch { Issue.record(error, comment) }
                    points += 1
                }
            }
        }
        print("\(operation): \(count) calls, \(points) states examined, of which \(acknowledged) calls' runs were acknowledged")
        #expect(points > count * Self.faults.count)
    }
}

/// One operation that can be repeated from the same beginning.
private struct Scenario {
    struct Run {
        var operationCount: Int
        var operation: String
        /// The caller was told that it succeeded.
        var isAcknowledged: Bool
        /// What the storage may hold afterwards.
        var left: [(String, MemoryStorage)]
    }

    let operation: CrashPointTests.Operation
    let before: MemoryStorage
    let fixture: RepositoryFixture?
    let keyFile = KeyFile.random()
    let newKey = KeyFile.random()
    let removedKey = KeyFile.random()
    let removedSlot: SlotID?
    let first = TestImages.random(byteCount: 60_000, seed: 41)
    let second: [UInt8]

    init(_ operation: CrashPointTests.Operation) throws {
        self.operation = operation
        second = Array(first.prefix(30_000)) + TestImages.random(byteCount: 45_000, seed: 42)
        let storage = MemoryStorage()
        guard operation != .initialize else {
            (before, fixture, removedSlot) = (storage, nil, nil)
            return
        }
        let fixture = try RepositoryFixture(storage, averageChunkByteCount: 16 << 10)
        removedSlot = try fixture.repository.addSlot(role: .full, credential: .keyFile(removedKey), cost: .moderate, label: "removed")
        if operation != .firstBackup { _ = try fixture.backup(first) }
        if operation == .prune {
            let old = try fixture.repository.snapshots().snapshots
            _ = try fixture.backup(second)
            try fixture.repository.mark(old, .forget)
            // What a backup that was killed left behind: a session, and a pack without an index object.
            try Scenario.leaveSession(fixture)
        }
        (before, self.fixture) = (storage, fixture)
    }

    func run(_ fault: StorageFault?, at position: Int) throws -> Run {
        let memory = before.copy()
        let crashing = CrashingStorage(memory)
        let faulty = FaultInjectingStorage(crashing)
        let repository = try fixture.map { try RepositoryFixture(opening: faulty, like: $0).repository }
        faulty.reset()
        if let fault { faulty.inject(fault, at: position) }
        var isAcknowledged = false
        do {
            try perform(repository, faulty)
            isAcknowledged = true
        } catch {
            if fault == nil { throw error }
        }
        let operations = faulty.operations
        var left = [("as it is", memory.copy()), ("all unsynchronised names lost", crashing.crashLosingEverything())]
        switch fault {
        case .crashBefore?, .crashAfter?:
            for name in crashing.volatileNames.sorted(by: { $0.path < $1.path }) {
                left.append(("of the unsynchronised names only \(name) kept", crashing.crash { $0 == name }))
                left.append(("of the unsynchronised names only \(name) lost", crashing.crash { $0 != name }))
            }
        default: break
        }
        return Run(
            operationCount: operations.count, operation: position < operations.count ? "\(operations[position])" : "none",
            isAcknowledged: isAcknowledged, left: left)
    }

    private func perform(_ repository: Repository?, _ storage: any StorageBackend) throws {
        switch operation {
        case .initialize:
            _ = try Repository.create(on: storage, credential: .keyFile(keyFile), options: .init(), environment: RepositoryFixture.environment())
        case .firstBackup: _ = try backup(repository, first)
        case .incrementalBackup: _ = try backup(repository, second)
        case .addKey: _ = try repository?.addSlot(role: .backup, credential: .keyFile(newKey), cost: .moderate, label: "new")
        case .removeKey: try repository?.removeSlot(try #require(removedSlot))
        case .changeKey: _ = try repository?.changeCredential(to: .keyFile(newKey), cost: .moderate)
        case .prune:
            let report = try repository?.prune(cancellation: Cancellation())
            #expect(report?.waitsFor.isEmpty == true)
        }
    }

    /// Of a process that runs no more, on this machine.
    private static func leaveSession(_ fixture: RepositoryFixture) throws {
        let repository = fixture.repository
        let session = ObjectName.session(SessionID(Sodium.randomID()))
        let record = SessionRecord(kind: "backup", host: repository.environment.host, machineID: repository.environment.machineID, processID: 4_000_000_000, startTime: repository.timestamp, tool: "holdfast test")
        _ = try fixture.storage.put(session, repository.sealer.seal(record.body, repository.sealer.repositoryBinding(.session, name: session.path)).span)
        let key = SessionDataKey(recipient: repository.secrets.dataPublicKey)
        let writer = PackWriter(.data, sealer: repository.sealer, key: key.record, storage: fixture.storage)
        let builder = SegmentBuilder(.data, sealer: repository.sealer, sessionKey: key.secret, writer: writer, level: nil)
        let chunk = TestImages.random(byteCount: 20_000, seed: 43)
        let id = unsafe chunk.withUnsafeBytes { unsafe repository.sealer.member.chunkID(.data, $0) }
        unsafe try chunk.withUnsafeBytes { unsafe try builder.append(id, $0, band: 0) }
        try builder.flush()
        try writer.finish()
    }

    private func backup(_ repository: Repository?, _ bytes: [UInt8]) throws -> BackupReport {
        var options = BackupOptions()
        options.threadCount = 1
        return try #require(repository).backup(
            [BackupSource(MemoryImageReader(bytes), identity: SourceIdentity(kind: .file, imageName: "disk", path: "/disk"))],
            options: options, progress: ProgressCounters(), cancellation: Cancellation())
    }

    /// Everything acknowledged is there, nothing is damaged, and the next backup just works and stores nothing twice.
    func expectSound(_ storage: MemoryStorage, _ run: Run, _ comment: Comment) throws {
        guard let repository = try open(storage, run, comment) else { return }
        try expectContents(repository, isAcknowledged: run.isAcknowledged, comment)
        #expect(try check(repository), comment)
        let before = try repository.snapshots(includingForgotten: true).snapshots.count
        let report = try backup(repository, second)
        #expect(try repository.snapshots(includingForgotten: true).snapshots.count == before + 1, comment)
        #expect(try restore(repository, report.snapshot) == second, comment)
        try expectContents(repository, isAcknowledged: run.isAcknowledged, comment)
        #expect(try check(repository), comment)
        if let fixture { #expect(try RepositoryFixture(with: repository, storage, like: fixture).repeatedChunkCount() == 0, comment) }
        if operation == .prune { try expectPruned(repository, storage, comment) }
    }

    /// The next prune goes on without help, and leaves nothing that is not needed.
    private func expectPruned(_ repository: Repository, _ storage: MemoryStorage, _ comment: Comment) throws {
        let report = try repository.prune(cancellation: Cancellation())
        #expect(report.waitsFor.isEmpty, comment)
        let plan = try repository.prunePlan(cancellation: Cancellation())
        #expect(plan.deleted.count == 0 && plan.openListCount == 0 && plan.snapshots.isEmpty && plan.unindexed.count == 0, comment)
        #expect(try repository.openSessions().isEmpty && !storage.objects.keys.contains { $0.kind == .sessions }, comment)
        #expect(!storage.objects.keys.contains { $0.kind == .condemned && !$0.leaf.hasSuffix(".verdict") }, comment)
        let contents = try repository.snapshots(includingForgotten: true).snapshots.map { try restore(repository, $0) }
        #expect(!contents.isEmpty && contents.allSatisfy { $0 == second }, comment)
        #expect(try check(repository), comment)
        #expect(try repository.check(CheckOptions(), progress: ProgressCounters(), cancellation: Cancellation()).problems.isEmpty, comment)
    }

    /// Nil if there is no repository and nobody was told that there is one.
    private func open(_ storage: MemoryStorage, _ run: Run, _ comment: Comment) throws -> Repository? {
        func open(_ key: KeyFile) -> Repository? {
            do { return try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment()) } catch { return nil }
        }
        switch operation {
        case .initialize:
            let repository = open(keyFile)
            if run.isAcknowledged { #expect(repository != nil, comment) }
            if repository == nil {
                // Another init makes one, or says what stands in its way; it never mixes its objects with what is there.
                do throws(RepositoryError) {
                    _ = try Repository.create(on: storage, credential: .keyFile(keyFile), options: .init(), environment: RepositoryFixture.environment())
                } catch {
                    guard case .occupied = error else { throw error }
                    return nil
                }
                return open(keyFile)
            }
            return repository
        case .changeKey:
            let (old, new) = (open(try #require(fixture).keyFile), open(newKey))
            #expect(run.isAcknowledged ? old == nil && new != nil : old != nil || new != nil, comment)
            return new ?? old
        case .addKey:
            let new = open(newKey)
            if run.isAcknowledged { #expect(new?.role == .backup, comment) }
            let old = open(try #require(fixture).keyFile)
            let opened: Repository = try #require(old)
            return opened
        case .removeKey:
            if run.isAcknowledged { #expect(open(removedKey) == nil, comment) }
            let old = open(try #require(fixture).keyFile)
            let opened: Repository = try #require(old)
            return opened
        case .firstBackup, .incrementalBackup, .prune:
            let old = open(try #require(fixture).keyFile)
            let opened: Repository = try #require(old)
            return opened
        }
    }

    private func expectContents(_ repository: Repository, isAcknowledged: Bool, _ comment: Comment) throws {
        let contents = try repository.snapshots().snapshots.map { try restore(repository, $0) }
        switch operation {
        case .initialize: break
        case .firstBackup: if isAcknowledged { #expect(contents.first == first, comment) }
        case .incrementalBackup:
            #expect(contents.first == first, comment)
            if isAcknowledged { #expect(contents.count >= 2 && contents[1] == second, comment) }
        case .addKey, .removeKey, .changeKey: #expect(contents.first == first, comment)
        case .prune: #expect(contents.first == second, comment)
        }
        #expect(contents.allSatisfy { $0 == first || $0 == second }, comment)
    }

    private func restore(_ repository: Repository, _ snapshot: Snapshot) throws -> [UInt8] {
        let writer = MemoryImageWriter()
        var options = RestoreOptions()
        options.threadCount = 1
        _ = try repository.restore(
            try repository.image(nil, of: snapshot), to: writer, targetName: "memory", options: options, progress: ProgressCounters(),
            cancellation: Cancellation())
        return writer.contents
    }

    private func check(_ repository: Repository) throws -> Bool {
        var options = CheckOptions()
        options.data = .all
        options.threadCount = 1
        let report = try repository.check(options, progress: ProgressCounters(), cancellation: Cancellation())
        for problem in report.problems where problem.severity == .error { print(problem) }
        return report.isClean
    }
}
