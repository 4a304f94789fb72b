import Bytes
import ImageFixtures
@testable import ImageRepository
import Packing
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Testing

/// A small repository that holds an object of every type, with its keys open while objects are damaged.
struct DamagedRepository {
    let storage = MemoryStorage()
    let fixture: RepositoryFixture
    let image = TestImages.random(byteCount: 4000, seed: 31)
    let sound: [ObjectName: [UInt8]]
    let snapshots: [SnapshotID]

    init() throws {
        fixture = try RepositoryFixture(storage, averageChunkByteCount: 16 << 10)
        let repository = fixture.repository
        _ = try repository.addSlot(role: .backup, credential: .keyFile(.random()), cost: .moderate, label: "machine")
        // A hole and two chunks' worth of noise, in one band.
        let first = try fixture.backup(image).snapshot
        let second = try fixture.backup(image).snapshot
        snapshots = [first.id, second.id]
        // The abort record of a backup that broke off before it stored anything.
        do { _ = try fixture.backup(MemoryImageStream([1], breaksOffAt: 0)) } catch is RepositoryError {}
        try repository.mark([first], .protect)
        let session = ObjectName.session(SessionID(Sodium.randomID()))
        let record = SessionRecord(kind: "backup", host: "elsewhere", machineID: "", processSpace: "", processID: 7, startTime: repository.timestamp, tool: "holdfast test")
        _ = try storage.put(session, repository.sealer.seal(record.body, repository.sealer.repositoryBinding(.session, name: session.path)).span)
        let list = ObjectName(.condemned, RandomID([UInt8](repeating: 9, count: 16)).hexadecimal)
        let condemned = CondemnedList(kind: .prune, dataPacks: [PackID(Digest([UInt8](repeating: 5, count: 32)))], mapPacks: [])
        _ = try storage.put(list, repository.sealer.seal(condemned.body, repository.sealer.repositoryBinding(.condemnedList, name: list.path)).span)
        sound = storage.objects
    }

    func objects(_ kind: ObjectKind) -> [ObjectName] { sound.keys.filter { $0.kind == kind }.sorted { $0.path < $1.path } }

    /// Puts everything back as it was.
    func mend() {
        for name in storage.objects.keys where sound[name] == nil { do { try storage.delete(name) } catch { Issue.record("\(error)") } }
        for (name, bytes) in sound { storage.overwrite(name, with: bytes) }
    }

    func errors() throws -> [Problem] {
        var options = CheckOptions()
        options.data = .all
        options.threadCount = 1
        return try fixture.repository.check(options, progress: ProgressCounters(), cancellation: Cancellation()).problems
    }

    /// Those that cannot be restored.
    var lostSnapshots: [SnapshotID] {
        snapshots.filter { id in
            do { return try fixture.restore(try fixture.repository.snapshot(id)) != image } catch { return true }
        }
    }

    /// Whether both snapshots come back right, or the restore says that they do not. With `opening`, the repository is opened anew first.
    func restoresRightOrThrows(opening: Bool = false) -> Bool {
        for id in snapshots {
            let writer = MemoryImageWriter()
            do {
                let repository = opening ? try RepositoryFixture(opening: storage, like: fixture).repository : fixture.repository
                let snapshot = try repository.snapshot(id)
                var options = RestoreOptions()
                options.threadCount = 1
                _ = try repository.restore(
                    try repository.image(nil, of: snapshot), to: writer, targetName: "memory", options: options, progress: ProgressCounters(),
                    cancellation: Cancellation())
            } catch { continue }
            if writer.contents != image { return false }
        }
        return true
    }
}
