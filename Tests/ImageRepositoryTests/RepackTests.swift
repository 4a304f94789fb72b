import Bytes
import DiskImages
import ImageFixtures
@testable import ImageRepository
import Packing
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import TestSupport
import Testing

struct RepackTests {
    private static let mebibyte = 1 << 20

    private let storage = MemoryStorage()
    private let image = TestImages.random(byteCount: 6 * mebibyte, seed: 1)

    private func prune(_ repository: Repository, _ options: PruneOptions = PruneOptions()) throws -> PruneReport {
        try repository.prune(options, cancellation: Cancellation())
    }

    private func packs(_ kind: ObjectKind) -> [ObjectName: [UInt8]] { storage.objects.filter { $0.key.kind == kind } }

    private func packedByteCount(_ storage: MemoryStorage) -> Int { storage.objects.reduce(0) { $0 + ($1.key.kind == .packs || $1.key.kind == .maps ? $1.value.count : 0) } }

    private func expectSound(_ fixture: RepositoryFixture, _ contents: [[UInt8]]) throws {
        let found = try fixture.repository.snapshots().snapshots.map { try fixture.restore($0) }
        #expect(found == contents)
        #expect(try fixture.check(.all).problems.map(\.reason) == [])
    }

    /// The first of two snapshots is forgotten; the second needs of each pack what `kept` says.
    private func half(_ kept: (inout [UInt8]) -> Void) throws -> (fixture: RepositoryFixture, second: [UInt8]) {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(image).snapshot
        var second = image
        kept(&second)
        _ = try fixture.backup(second)
        try fixture.repository.mark([first], .forget)
        return (fixture, second)
    }

    private func freshByteCount(_ contents: [[UInt8]]) throws -> Int {
        let storage = MemoryStorage()
        let fixture = try RepositoryFixture(storage)
        for bytes in contents { _ = try fixture.backup(bytes) }
        return packedByteCount(storage)
    }

    @Test func `after a prune a repository is hardly larger than a fresh one with the same snapshots`() throws {
        // Scattered zeros: some segments die, of others a part.
        let (fixture, second) = try half { bytes in
            for index in (Self.mebibyte / 2)..<(2 * Self.mebibyte) { bytes[index] = 0 }
            for start in stride(from: 3 * Self.mebibyte, to: 5 * Self.mebibyte, by: 200 << 10) { for index in start..<start + (90 << 10) { bytes[index] = 0 } }
        }
        let before = packedByteCount(storage)
        let plan = try fixture.repository.prunePlan(cancellation: Cancellation())
        #expect(plan.unusedRepack.packs.count == 1 && plan.unusedRepack.copiedByteCount > 0 && plan.unusedRepack.openedByteCount > 0)
        #expect(plan.unusedRepack.freedByteCount > 2_000_000 && plan.postponedRepack.packs.count == 0 && plan.deadByteCount == 0)
        let report = try prune(fixture.repository)
        #expect(report.written.count > 0 && report.problems.isEmpty && report.sparedPackCount == 0)
        let after = packedByteCount(storage)
        let fresh = try freshByteCount([second])
        #expect(before - after > 2_000_000 && Double(after) <= Double(fresh) * 1.05)
        try expectSound(fixture, [second])
        // Nothing is left to do, and the data are found again.
        let again = try prune(fixture.repository)
        #expect(again.written.count == 0 && again.deleted.count == 0 && packedByteCount(storage) == after)
        #expect(try fixture.backup(second).snapshot.manifest.counters.newByteCount == 0)
    }

    @Test func `a little that is unused stays, unless less is allowed`() throws {
        let (fixture, second) = try half { bytes in for index in 0..<(100 << 10) { bytes[index] = 0 } }
        let report = try prune(fixture.repository)
        #expect(report.written.count == 0)
        let dead = try #require(report.plan).deadByteCount
        // What was overwritten, and at most the rest of the longest chunk that it ended in; where chunks end is another in each repository.
        #expect(dead > 80_000 && dead < (100 << 10) + (128 << 10) + 4096)
        var options = PruneOptions()
        options.unusedPercentMax = 0
        #expect(try prune(fixture.repository, options).written.count == 1)
        #expect(try fixture.repository.prunePlan(options, cancellation: Cancellation()).deadByteCount == 0)
        try expectSound(fixture, [second])
    }

    @Test func `small packs and index objects of many sessions are merged, and all their keys go along`() throws {
        let fixture = try RepositoryFixture(storage)
        let contents = (0..<10).map { TestImages.random(byteCount: 150_000, seed: 100 + $0) }
        for bytes in contents { _ = try fixture.backup(bytes) }
        #expect(packs(.packs).count == 10 && packs(.index).count == 10)
        let plan = try fixture.repository.prunePlan(cancellation: Cancellation())
        #expect(plan.smallRepack.packs.count == 20 && plan.smallRepack.openedByteCount == 0 && plan.unusedRepack.packs.count == 0)
        let report = try prune(fixture.repository)
        #expect(report.written.count == 2 && report.deleted.count == 20 && report.rewrittenIndexCount >= 10)
        #expect(packs(.packs).count == 1 && packs(.maps).count == 1 && packs(.index).count == 1)
        try expectSound(fixture, contents)
        #expect(try fixture.repeatedChunkCount() == 0)
    }

    @Test func `few small packs stay as they are`() throws {
        let fixture = try RepositoryFixture(storage)
        for seed in 0..<3 { _ = try fixture.backup(TestImages.random(byteCount: 150_000, seed: UInt64(seed))) }
        let before = storage.objects
        #expect(try prune(fixture.repository).written.count == 0)
        #expect(storage.objects == before)
    }

    @Test func `a key that cannot read data copies whole segments, and says what only another could free`() throws {
        let (fixture, second) = try half { bytes in
            for index in 0..<(2 * Self.mebibyte) { bytes[index] = 0 }
            for index in (3 * Self.mebibyte)..<(3 * Self.mebibyte + 500_000) { bytes[index] = 0 }
        }
        let key = KeyFile.random()
        _ = try fixture.repository.addSlot(role: .backup, granting: [.prune, .forgetAny], credential: .keyFile(key), cost: .moderate, label: "janitor")
        let janitor = try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment())
        let report = try prune(janitor)
        let plan = try #require(report.plan)
        // Map segments every key can open.
        #expect(report.written.count > 0 && plan.unusedRepack.openedByteCount < 10_000)
        let rest = try janitor.prunePlan(cancellation: Cancellation())
        #expect(rest.unusedRepack.packs.count == 0 && rest.sealedDeadByteCount > 300_000 && rest.sealedDeadByteCount == rest.deadByteCount)
        try expectSound(fixture, [second])
        #expect(try prune(fixture.repository).written.count > 0, "a key that reads data frees the rest")
        #expect(try janitor.prunePlan(cancellation: Cancellation()).sealedDeadByteCount < 100_000)
        try expectSound(fixture, [second])
        #expect(throws: RepositoryError.self) { try fixture.restore(try #require(try janitor.snapshots().snapshots.first), with: janitor) }
    }

    /// Two sessions at once store the same data.
    private func twice(_ fixture: RepositoryFixture, _ bytes: [UInt8]) throws {
        let other = storage.copy()
        _ = try RepositoryFixture(opening: other, like: fixture).backup(bytes)
        _ = try fixture.backup(bytes)
        for (name, object) in other.objects { _ = try storage.put(name, object.span) }
    }

    @Test func `of what is stored twice one copy stays`() throws {
        let fixture = try RepositoryFixture(storage)
        try twice(fixture, image)
        #expect(packs(.packs).count == 2)
        #expect(try prune(fixture.repository).deleted.count == 2)
        #expect(packs(.packs).count == 1 && packs(.maps).count == 1)
        try expectSound(fixture, [image, image])
    }

    @Test(arguments: [0, 1]) func `a damaged copy is not the one that stays`(which: Int) throws {
        let fixture = try RepositoryFixture(storage)
        try twice(fixture, image)
        let (name, sound) = packs(.packs).sorted { $0.key.leaf < $1.key.leaf }[which]
        var damaged = sound
        damaged[3 * Self.mebibyte] ^= 1
        storage.overwrite(name, with: damaged)
        let report = try prune(fixture.repository)
        for snapshot in try fixture.repository.snapshots().snapshots { #expect(try fixture.restore(snapshot) == image) }
        // Nobody needs the damaged segment, or nobody looked at it: it is never the only one.
        #expect(report.problems.allSatisfy { $0.object == name.path })
        for snapshot in try fixture.repository.snapshots().snapshots { #expect(try fixture.restore(snapshot) == image) }
        #expect(try prune(fixture.repository).sparedPackCount == 0)
        for snapshot in try fixture.repository.snapshots().snapshots { #expect(try fixture.restore(snapshot) == image) }
    }

    @Test(arguments: [0, 4]) func `a pack of which a needed segment is damaged stays, and the others go`(segment: Int) throws {
        let (fixture, _) = try half { bytes in for index in (Self.mebibyte * 3 / 2)..<(7 * Self.mebibyte / 2) { bytes[index] = 0 } }
        let (name, sound) = try #require(packs(.packs).max { $0.value.count < $1.value.count })
        var damaged = sound
        // Segments are about 1 MiB; the first is copied as it is, and so is one near the end.
        damaged[Self.mebibyte * segment + Self.mebibyte / 2] ^= 1
        storage.overwrite(name, with: damaged)
        let report = try prune(fixture.repository)
        #expect(report.problems.map(\.object) == [name.path])
        #expect(storage.objects[name] == damaged)
        #expect(try fixture.repository.snapshots().snapshots.count == 1)
    }

    @Test(arguments: [0, 4]) func `a pack of which a needed segment lies on unreadable sectors stays, and the prune goes on`(segment: UInt64) throws {
        let (fixture, second) = try half { bytes in for index in (Self.mebibyte * 3 / 2)..<(7 * Self.mebibyte / 2) { bytes[index] = 0 } }
        let (name, bytes) = try #require(packs(.packs).max { $0.value.count < $1.value.count })
        let disk = FaultInjectingStorage(storage)
        let reader = try RepositoryFixture(opening: disk, like: fixture)
        disk.failGets(of: name, byteAt: UInt64(Self.mebibyte) * segment + 1 << 19)
        let report = try prune(reader.repository)
        #expect(report.problems.map(\.object) == [name.path] && report.snapshotCount == 1)
        #expect(storage.objects[name] == bytes)
        try expectSound(fixture, [second])
    }

    @Test func `a copy that lies on unreadable sectors is not the one that stays`() throws {
        let fixture = try RepositoryFixture(storage)
        try twice(fixture, image)
        let disk = FaultInjectingStorage(storage)
        let reader = try RepositoryFixture(opening: disk, like: fixture)
        let names = packs(.packs).keys.sorted { $0.leaf < $1.leaf }
        for name in names.prefix(1) { disk.failGets(of: name, byteAt: UInt64(3 * Self.mebibyte)) }
        _ = try prune(reader.repository)
        for snapshot in try fixture.repository.snapshots().snapshots { #expect(try reader.restore(snapshot) == image) }
    }

    @Test func `no more is copied than allowed`() throws {
        let (fixture, second) = try half { bytes in for index in 0..<(3 * Self.mebibyte) { bytes[index] = 0 } }
        var options = PruneOptions()
        options.repackByteCountMax = 0
        let report = try prune(fixture.repository, options)
        let plan = try #require(report.plan)
        #expect(report.written.count == 0 && plan.postponedRepack.packs.count == 1 && !plan.isShortOfRoom && plan.deadByteCount > 2_500_000)
        options.repackByteCountMax = 4 << 20
        #expect(try prune(fixture.repository, options).written.count == 1)
        try expectSound(fixture, [second])
    }

    /// A device with little room.
    private struct SmallStorage: StorageBackend {
        let storage: MemoryStorage
        let byteCount: UInt64

        var place: String { storage.place }
        var capabilities: StorageCapabilities { storage.capabilities }
        func prepare() throws(StorageError) { try storage.prepare() }
        func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome { try storage.put(name, bytes) }
        func barrier() throws(StorageError) { try storage.barrier() }
        func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] { try storage.get(name, byteCountMax: byteCountMax) }
        func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] { try storage.get(name, range: range) }
        func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? { try storage.stat(name) }
        func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] { try storage.list(kind) }
        func delete(_ name: ObjectName) throws(StorageError) { try storage.delete(name) }
        func availableByteCount() throws(StorageError) -> UInt64? {
            let used = storage.objects.values.reduce(0) { $0 + UInt64($1.count) }
            return byteCount - min(used, byteCount)
        }
    }

    @Test func `where room is short, what is freed first makes room for the rest`() throws {
        let fixture = try RepositoryFixture(storage)
        var forgotten: [Snapshot] = []
        for seed in 0..<4 {
            let bytes = TestImages.random(byteCount: 4 * Self.mebibyte, seed: UInt64(200 + seed))
            forgotten.append(try fixture.backup(bytes, name: "\(seed)").snapshot)
            // Half of the pack stays needed.
            _ = try fixture.backup(Array(bytes.prefix(2 * Self.mebibyte)), name: "\(seed)")
        }
        try fixture.repository.mark(forgotten, .forget)
        let room: UInt64 = 3 << 20
        let small = SmallStorage(storage: storage, byteCount: UInt64(packedByteCount(storage)) + PruneOptions.spareByteCount + room)
        let repository = try RepositoryFixture(opening: small, like: fixture).repository
        let plan = try repository.prunePlan(cancellation: Cancellation())
        #expect(plan.isShortOfRoom && plan.postponedRepack.packs.count >= 3 && plan.unusedRepack.packs.count >= 1)
        _ = try prune(repository)
        #expect(try repository.prunePlan(cancellation: Cancellation()).deadByteCount == 0)
        try expectSound(fixture, (0..<4).map { Array(TestImages.random(byteCount: 4 * Self.mebibyte, seed: UInt64(200 + $0)).prefix(2 * Self.mebibyte)) })
    }
}
