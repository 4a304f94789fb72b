import Bytes
import DiskImages
import Dispatch
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Synchronization
import Testing
import TestSupport

struct ConcurrentUseTests {
    @Test func `two backups at once are both kept, and the third names both`() throws {
        let fixture = try RepositoryFixture()
        let contents = (0..<2).map { TestImages.random(byteCount: 2_000_000, seed: 61) + TestImages.random(byteCount: 200_000, seed: UInt64(62 + $0)) }
        let failures = Mutex<[String]>([])
        let meeting = Meeting(2)
        DispatchQueue.concurrentPerform(iterations: 2) { number in
            do {
                // Both have registered and read the index before either stores anything.
                _ = try fixture.backup(WaitingReader(MemoryImageReader(contents[number]), meeting), name: "disk \(number)")
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        let snapshots = try fixture.repository.snapshots().snapshots
        #expect(snapshots.map(\.manifest.ordinal) == [1, 1])
        for snapshot in snapshots {
            #expect(try fixture.restore(snapshot) == contents[snapshot.manifest.images[0].name == "disk 0" ? 0 : 1])
        }
        let third = try fixture.backup(contents[0], name: "disk 0").snapshot
        #expect(Set(third.manifest.heads.map(\.snapshot)) == Set(snapshots.map(\.id)))
        #expect(third.manifest.ordinal == 2)
        #expect(third.manifest.counters.newByteCount == 0)
        #expect(try fixture.check(.all).problems == [])
        // What both stored at the same moment is there twice at most, and from then on it is found.
        #expect(try fixture.repository.statistics().chunkByteCount < 2 * 2_200_000 + 65_536)
    }

    @Test func `a read-only repository refuses a backup and gives everything back`() throws {
        let memory = MemoryStorage()
        let fixture = try RepositoryFixture(memory)
        let bytes = TestImages.random(byteCount: 200_000, seed: 64)
        _ = try fixture.backup(bytes)
        let before = memory.objects
        let reading = try RepositoryFixture(opening: ReadOnlyStorage(memory), like: fixture)
        let error = #expect(throws: RepositoryError.self) { try reading.backup(bytes) }
        guard case .storage(.accessDenied)? = error else { Issue.record("\(String(describing: error))"); return }
        let snapshots = try reading.repository.snapshots().snapshots
        #expect(try snapshots.map { try reading.restore($0) } == [bytes])
        #expect(try reading.check(.all).problems == [])
        #expect(try reading.repository.statistics().snapshotCount == 1)
        #expect(memory.objects == before)
    }

    @Test(arguments: [ObjectKind.packs, .maps]) func `a storage that loses what it took makes no snapshot`(kind: ObjectKind) throws {
        let memory = MemoryStorage()
        let fixture = try RepositoryFixture(memory)
        let losing = try RepositoryFixture(opening: LosingStorage(memory, kind), like: fixture)
        let error = #expect(throws: RepositoryError.self) { try losing.backup(TestImages.random(byteCount: 50_000, seed: 67)) }
        guard case .damaged(let object, _)? = error else { Issue.record("\(String(describing: error))"); return }
        #expect(object.hasPrefix(kind.rawValue))
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.isEmpty)
        #expect(try memory.list(.index).isEmpty)
        #expect(try fixture.check(.all).isClean)
    }

    // MARK: latest

    @Test func `latest is not an older snapshot when the newest cannot be read or is missing`() throws {
        let (folder, storage) = (TemporaryFolder(), MemoryStorage())
        let fixture = try RepositoryFixture(storage)
        let machine = try RepositoryFixture(opening: storage, like: fixture, environment: RepositoryFixture.environment(stateFolder: folder.path))
        let older = try machine.backup([1, 2, 3]).snapshot
        let newer = try machine.backup([4, 5, 6]).snapshot
        let name = ObjectName.snapshot(newer.id)
        let sound = try #require(storage.objects[name])
        func latest(_ repository: Repository) throws -> SnapshotID { try repository.snapshot(SnapshotSelector("latest")).id }
        #expect(try latest(machine.repository) == newer.id)
        for damaged in [Array(sound.dropLast()), [], sound.map { $0 ^ 1 }] {
            storage.overwrite(name, with: damaged)
            for repository in [machine.repository, fixture.repository] {
                let error = #expect(throws: RepositoryError.self) { try latest(repository) }
                #expect(error.map { "\($0)" }?.contains(name.path) == true)
            }
            // By its id the older one is there.
            #expect(try machine.repository.snapshot(SnapshotSelector(older.id.hexadecimal)).id == older.id)
        }
        try storage.delete(name)
        #expect(throws: RepositoryError.self) { try latest(machine.repository) }
        // A machine that has never seen it cannot know.
        #expect(try latest(fixture.repository) == older.id)
        storage.overwrite(name, with: sound)
        #expect(try latest(machine.repository) == newer.id)
    }

    @Test func `latest of an image is the newest snapshot that has it`() throws {
        let fixture = try RepositoryFixture()
        let first = try fixture.backup([1], name: "a").snapshot
        _ = try fixture.backup([2], name: "b")
        #expect(try fixture.repository.snapshot(SnapshotSelector("latest", image: "a")).id == first.id)
        #expect(throws: RepositoryError.self) { try fixture.repository.snapshot(SnapshotSelector("latest", image: "c")) }
    }

    // MARK: What another client does meanwhile

    @Test func `a snapshot that is committed while a check runs is not missing`() throws {
        let (folder, storage) = (TemporaryFolder(), FaultInjectingStorage(MemoryStorage()))
        let fixture = try RepositoryFixture(storage)
        let environment = RepositoryFixture.environment(stateFolder: folder.path)
        let machine = try RepositoryFixture(opening: storage, like: fixture, environment: environment)
        _ = try machine.backup([1, 2, 3])
        let count = Mutex(0)
        storage.afterNext(.list(.sessions)) {
            do { _ = try machine.backup([4, 5, 6]) } catch { return }
            count.withLock { $0 += 1 }
        }
        #expect(try machine.check(.structure).isClean)
        #expect(count.withLock { $0 } == 1)
        #expect(try machine.repository.snapshots().snapshots.count == 2)
    }

    @Test func `a key that is added while a repository is opened is no rollback`() throws {
        let (folder, storage) = (TemporaryFolder(), FaultInjectingStorage(MemoryStorage()))
        let fixture = try RepositoryFixture(storage)
        let environment = RepositoryFixture.environment(stateFolder: folder.path)
        let administrator = try RepositoryFixture(opening: storage, like: fixture, environment: environment)
        let count = Mutex(0)
        storage.afterNext(.get(.keyring(0))) {
            do { _ = try administrator.repository.addSlot(role: .backup, credential: .keyFile(.random()), cost: .moderate, label: "") } catch { return }
            count.withLock { $0 += 1 }
        }
        let slow = try RepositoryFixture(opening: storage, like: fixture, environment: environment)
        #expect(count.withLock { $0 } == 1)
        #expect(slow.repository.warnings == [])
        // The newer pin stays: nobody can put the older keyring back now.
        #expect(try PinFile(repository: fixture.repository.id, folder: folder.path).read()?.keyringNumber == 1)
    }

    @Test func `a repository that is open already accepts what a key added later has signed`() throws {
        let storage = MemoryStorage()
        let fixture = try RepositoryFixture(storage)
        let administrator = try RepositoryFixture(opening: storage, like: fixture)
        let key = KeyFile.random()
        _ = try administrator.repository.addSlot(role: .backup, credential: .keyFile(key), cost: .moderate, label: "")
        let machine = RepositoryFixture(
            with: try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment()), storage, like: fixture)
        let bytes = TestImages.random(byteCount: 100_000, seed: 69)
        let snapshot = try machine.backup(bytes).snapshot
        let list = try fixture.repository.snapshots()
        #expect(list.problems == [])
        #expect(list.snapshots.map(\.id) == [snapshot.id])
        #expect(try fixture.restore(list.snapshots[0]) == bytes)
        #expect(try fixture.backup(bytes).snapshot.manifest.counters.newByteCount == 0)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `a backup whose key is removed before it ends makes no snapshot, and says so`() throws {
        let storage = FaultInjectingStorage(MemoryStorage())
        let fixture = try RepositoryFixture(storage)
        let key = KeyFile.random()
        let slot = try fixture.repository.addSlot(role: .backup, credential: .keyFile(key), cost: .moderate, label: "")
        let machine = RepositoryFixture(
            with: try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment()), storage, like: fixture)
        storage.afterNext(.list(.packs)) {
            // What it throws shows: the slot would still open.
            do { try fixture.repository.removeSlot(slot) } catch { return }
        }
        let error = #expect(throws: RepositoryError.self) { try machine.backup([1, 2, 3]) }
        #expect(error.map { "\($0)" }?.contains("was removed") == true)
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.isEmpty)
    }

    @Test(arguments: [UInt64(0), 2000, 30_000, 150_000, 230_000]) func `a full storage makes no snapshot and harms none`(room: UInt64) throws {
        let memory = MemoryStorage()
        let faulty = FaultInjectingStorage(memory)
        let fixture = try RepositoryFixture(faulty)
        let old = TestImages.random(byteCount: 50_000, seed: 65)
        let first = try fixture.backup(old).snapshot
        faulty.fill(after: room)
        let bytes = TestImages.random(byteCount: 220_000, seed: 66)
        let error = #expect(throws: RepositoryError.self) { try fixture.backup(bytes) }
        guard case .storage(.full)? = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try fixture.restore(first) == old)
        #expect(try fixture.check(.all).isClean)
        faulty.reset()
        #expect(try fixture.restore(try fixture.backup(bytes).snapshot) == bytes)
        #expect(try fixture.repeatedChunkCount() == 0)
        #expect(try fixture.repository.snapshots().snapshots.count == 2)
    }
}

/// Lets threads go on only when all have come.
private final class Meeting: Sendable {
    private let missing: Mutex<Int>
    init(_ count: Int) { missing = Mutex(count) }

    func attend() {
        missing.withLock { $0 -= 1 }
        while missing.withLock({ $0 > 0 }) { _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(2)) }
    }
}

private final class WaitingReader: ImageReader {
    private let wrapped: MemoryImageReader
    private let meeting: Meeting
    private let hasMet = Mutex(false)

    init(_ wrapped: MemoryImageReader, _ meeting: Meeting) { (self.wrapped, self.meeting) = (wrapped, meeting) }

    var byteCount: UInt64 { wrapped.byteCount }
    func extent(at offset: UInt64) throws(ImageError) -> ImageExtent { try wrapped.extent(at: offset) }

    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        let isFirst = hasMet.withLock { met in
            defer { met = true }
            return !met
        }
        if isFirst { meeting.attend() }
        return try wrapped.read(at: offset, into: &bytes)
    }
}

/// Says that packs of one kind are stored, and drops them.
private final class LosingStorage: StorageBackend {
    private let wrapped: MemoryStorage
    private let kind: ObjectKind
    init(_ wrapped: MemoryStorage, _ kind: ObjectKind) { (self.wrapped, self.kind) = (wrapped, kind) }

    var place: String { wrapped.place }
    var capabilities: StorageCapabilities { wrapped.capabilities }
    func prepare() throws(StorageError) { try wrapped.prepare() }
    func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome { name.kind == kind ? .created : try wrapped.put(name, bytes) }
    func barrier() throws(StorageError) { try wrapped.barrier() }
    func delete(_ name: ObjectName) throws(StorageError) { try wrapped.delete(name) }
    func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] { try wrapped.get(name, byteCountMax: byteCountMax) }
    func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] { try wrapped.get(name, range: range) }
    func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? { try wrapped.stat(name) }
    func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] { try wrapped.list(kind) }
}

/// Permissions as on a medium that is mounted read-only.
private final class ReadOnlyStorage: StorageBackend {
    private let wrapped: MemoryStorage
    init(_ wrapped: MemoryStorage) { self.wrapped = wrapped }

    var place: String { wrapped.place }
    var capabilities: StorageCapabilities { wrapped.capabilities }
    func prepare() throws(StorageError) { throw .accessDenied(object: place, reason: "read-only") }
    func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome { throw .accessDenied(object: name.path, reason: "read-only") }
    func barrier() throws(StorageError) {}
    func delete(_ name: ObjectName) throws(StorageError) { throw .accessDenied(object: name.path, reason: "read-only") }
    func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] { try wrapped.get(name, byteCountMax: byteCountMax) }
    func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] { try wrapped.get(name, range: range) }
    func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? { try wrapped.stat(name) }
    func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] { try wrapped.list(kind) }
}
