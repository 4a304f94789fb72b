import Bytes
import DiskImages
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Testing
import TestSupport
import Threading

struct RepairTests {
    private let storage = MemoryStorage()
    private let image = TestImages.random(byteCount: 3_500_000, seed: 71)

    private func flip(_ name: ObjectName, at offset: Int = 60, in storage: MemoryStorage? = nil) throws {
        let storage = storage ?? self.storage
        var bytes = try #require(storage.objects[name])
        bytes[offset] ^= 0x40
        storage.overwrite(name, with: bytes)
    }

    private func names(_ kind: ObjectKind, in storage: MemoryStorage? = nil) -> [ObjectName] {
        (storage ?? self.storage).objects.keys.filter { $0.kind == kind }.sorted { $0.path < $1.path }
    }

    private func errors(_ fixture: RepositoryFixture, _ data: CheckOptions.Data = .all) throws -> [String] {
        try fixture.check(data).problems.filter { $0.severity == .error }.map { "\($0.object): \($0.reason)" }
    }

    // MARK: Index

    @Test(arguments: [true, false]) func `an index that is gone or damaged as a whole is made anew from the packs`(isDeleted: Bool) throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(image).snapshot
        let second = try fixture.backup(Array(image.prefix(1_000_000)) + image).snapshot
        try fixture.repository.mark([first], .forget)
        let damaged = try names(.index).map { name in
            if isDeleted { try storage.delete(name) } else { try flip(name) }
            return (name, storage.objects[name])
        }
        #expect(try !errors(fixture).isEmpty)
        #expect(throws: RepositoryError.self) { try fixture.repository.prune(cancellation: Cancellation()) }
        let plan = try fixture.repair { $0.isDryRun = true }
        #expect(names(.index).count == (isDeleted ? 0 : damaged.count) && names(.quarantine).isEmpty, "a dry run changes nothing")
        let report = try fixture.repair()
        #expect(report.steps == plan.steps && report.isWhole)
        #expect(Set(report.steps.filter { $0.action == .index }.map(\.object)) == Set((names(.packs) + names(.maps)).map(\.path)))
        #expect(names(.index).allSatisfy { name in !damaged.contains { $0.0 == name } })
        #expect(isDeleted ? names(.quarantine).isEmpty : Set(names(.quarantine).map { storage.objects[$0] }) == Set(damaged.map(\.1)))
        #expect(try errors(fixture) == [] && fixture.restore(first) == image)
        #expect(try fixture.repair().steps == [], "nothing is left to be done")
        #expect(try fixture.repository.prune(cancellation: Cancellation()).snapshotCount == 1)
        #expect(try fixture.restore(second) == Array(image.prefix(1_000_000)) + image)
    }

    // MARK: Packs

    /// What of the image cannot be read, found by reading it piece by piece.
    private func unreadable(_ fixture: RepositoryFixture, _ snapshot: Snapshot) throws -> [Range<UInt64>] {
        let reader = try fixture.repository.reader(for: try fixture.repository.image(nil, of: snapshot))
        var found: [Range<UInt64>] = []
        let piece = 500
        for offset in stride(from: 0, to: Int(reader.byteCount), by: piece) {
            var bytes = [UInt8](repeating: 0, count: min(piece, Int(reader.byteCount) - offset))
            var span = bytes.mutableSpan
            do { _ = try reader.read(at: UInt64(offset), into: &span) } catch { found.join(UInt64(offset)..<UInt64(offset + span.count)) }
        }
        return found
    }

    @Test func `a damaged segment is lost to the byte, is stored again by the next backup, and then old snapshots are whole`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        let pack = try #require(names(.packs).first)
        // In the second or third of its segments.
        try flip(pack, at: 1_500_000)
        #expect(try fixture.repair().steps == [], "nobody has read it yet")
        let report = try fixture.repair { $0.data = .all }
        #expect(report.steps.map(\.action) == [.condemn] && report.steps.map(\.object) == [pack.path])
        let lost = try #require(report.lost.first)
        #expect(report.lost.count == 1 && lost.snapshot == snapshot.id && lost.image == "disk" && lost.volume == 0 && !report.isWhole)
        let found = try unreadable(fixture, snapshot)
        #expect(found.count == 1 && lost.ranges.count == 1)
        // Pieces lie across the ends.
        #expect(found[0].lowerBound <= lost.ranges[0].lowerBound && lost.ranges[0].lowerBound - found[0].lowerBound < 500)
        #expect(found[0].upperBound >= lost.ranges[0].upperBound && found[0].upperBound - lost.ranges[0].upperBound < 500)
        #expect(lost.byteCount > 500_000 && lost.byteCount <= 1 << 20)
        #expect(try !errors(fixture, .structure).isEmpty, "a check knows without reading all data")
        let again = try fixture.repair()
        #expect(again.steps == [] && again.lost == report.lost && names(.condemned).count == 1, "a list says it once")

        let healed = try fixture.backup(image).snapshot
        #expect(healed.manifest.parent == snapshot.id && healed.manifest.counters.newByteCount > lost.byteCount)
        #expect(try fixture.restore(snapshot) == image && fixture.restore(healed) == image)
        #expect(try errors(fixture) == [])
        let last = try fixture.repair { $0.data = .all }
        #expect(last.isWhole && last.steps == [] && names(.condemned).count == 1)
        #expect(storage.objects[pack] != nil, "packs are never taken away")
        _ = try fixture.repository.prune(cancellation: Cancellation())
        #expect(try fixture.restore(snapshot) == image)
    }

    @Test func `a prune deletes damaged packs and their lists once all that is needed of them is elsewhere`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        let pack = try #require(names(.packs).first)
        try flip(pack, at: 1_500_000)
        _ = try fixture.repair { $0.data = .all }
        // One segment is nowhere else yet: the pack stays, and so does what is known of it.
        _ = try fixture.repository.prune(cancellation: Cancellation())
        #expect(storage.objects[pack] != nil && names(.condemned).count == 1)
        _ = try fixture.backup(image)
        _ = try fixture.repository.prune(cancellation: Cancellation())
        #expect(storage.objects[pack] == nil && names(.condemned).allSatisfy { $0.leaf.hasSuffix(".verdict") })
        #expect(try errors(fixture) == [] && fixture.restore(snapshot) == image)
    }

    @Test func `a source that has changed meanwhile heals what it still has`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        for name in names(.packs) { try flip(name, at: 100) }
        let before = try #require(try fixture.repair { $0.data = .all }.lost.first)
        // The first 300 000 bytes are gone at the source, too.
        _ = try fixture.backup([UInt8](repeating: 1, count: 300_000) + image.dropFirst(300_000))
        let after = try #require(try fixture.repair().lost.first)
        #expect(after.byteCount < before.byteCount && after.ranges[0].lowerBound == 0)
        #expect(after.byteCount >= 300_000 && after.byteCount < 500_000)
        #expect(try unreadable(fixture, snapshot).map(\.lowerBound) == [0])
    }

    @Test(arguments: [0, 20, -1, -20]) func `a pack whose header or directory is damaged is condemned, and what its segments hold is still read`(offset: Int) throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        let pack = try #require(names(.packs).first)
        try flip(pack, at: offset < 0 ? try #require(storage.objects[pack]).count + offset : offset)
        let report = try fixture.repair { $0.data = .all }
        #expect(report.steps.map(\.object) == [pack.path] && report.isWhole, "nothing is lost as long as the index knows what is where")
        #expect(try fixture.restore(snapshot) == image)
        #expect(try fixture.backup(image).snapshot.manifest.counters.newByteCount == 3_500_000)
        #expect(try errors(fixture) == [])
    }

    @Test func `a map pack that is damaged is found without reading all data, and healed`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        let pack = try #require(names(.maps).first)
        try flip(pack, at: 100)
        let report = try fixture.repair()
        #expect(report.steps.map(\.object) == [pack.path])
        #expect(report.lost.map(\.ranges) == [[0..<3_500_000]])
        _ = try fixture.backup(image)
        #expect(try fixture.restore(snapshot) == image)
        #expect(try fixture.repair { $0.data = .all }.isWhole)
        #expect(try errors(fixture) == [])
    }

    @Test func `a pack that is gone is healed too, and ranges of which there is another copy are not lost`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        let pack = try #require(names(.packs).first)
        let sound = storage.objects[pack]
        try storage.delete(pack)
        #expect(try fixture.repair().lost.map(\.ranges) == [[0..<3_500_000]])
        #expect(names(.condemned).isEmpty, "nobody counts on what is not there")
        _ = try fixture.backup(image)
        #expect(try fixture.repair().isWhole)
        storage.overwrite(pack, with: try #require(sound))
        try flip(pack, at: 100)
        let report = try fixture.repair { $0.data = .all }
        #expect(report.isWhole && report.steps.map(\.object) == [pack.path])
        #expect(try fixture.restore(snapshot) == image)
    }

    @Test func `what is lost far into an image is told where it is`() throws {
        let fixture = try RepositoryFixture(storage)
        let (start, count) = (36 << 20, 100_000)
        _ = try fixture.backup([UInt8](repeating: 0, count: start) + TestImages.random(byteCount: count, seed: 76))
        for name in names(.packs) { try storage.delete(name) }
        #expect(try fixture.repair().lost.map(\.ranges) == [[UInt64(start)..<UInt64(start + count)]])
    }

    @Test func `a pack without an index object whose directory is damaged is condemned`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        let pack = try #require(names(.packs).first)
        try flip(pack, at: try #require(storage.objects[pack]).count - 20)
        for name in names(.index) { try storage.delete(name) }
        let report = try fixture.repair()
        #expect(report.steps.first { $0.object == pack.path }?.action == .condemn && report.lost.map(\.ranges) == [[0..<3_500_000]])
        _ = try fixture.backup(image)
        #expect(try fixture.restore(snapshot) == image)
        #expect(try fixture.repair().isWhole)
    }

    // MARK: Other objects

    private static let kinds: [ObjectKind] = [.config, .keyring, .keys, .packs, .maps, .index, .snapshots, .marks, .sessions, .condemned]

    @Test(arguments: kinds) func `whatever kind of object is damaged is mended, or left and named with what to do`(kind: ObjectKind) throws {
        let repository = try DamagedRepository()
        let storage = repository.storage
        for name in repository.objects(kind) {
            try flip(name, at: 50, in: storage)
            let damaged = storage.objects
            let report = try repository.fixture.repair { $0.data = .all }
            let quarantined = names(.quarantine, in: storage).map { storage.objects[$0] }
            switch kind {
            case .packs, .maps:
                #expect(report.steps.map(\.object) == [name.path] && Set(report.lost.map(\.snapshot)) == Set(repository.snapshots))
                _ = try repository.fixture.backup(repository.image)
                #expect(try errors(repository.fixture) == [])
            case .index, .sessions, .condemned:
                #expect(report.isWhole && quarantined == [damaged[name]], "\(name)")
                #expect(storage.objects[name] == nil)
                #expect(try errors(repository.fixture) == [])
                if kind == .sessions { #expect(storage.objects[ObjectName(.snapshots, name.leaf)] != nil, "the session can commit no more") }
            default:
                #expect(!report.isWhole && report.problems.contains { $0.object == name.path && $0.reason.contains("copy") }, "\(name)")
                #expect(storage.objects == damaged, "\(name)")
            }
            #expect(repository.restoresRightOrThrows())
            repository.mend()
        }
    }

    @Test func `a snapshot whose manifest is lost is given up only on request, and then a prune runs again`() throws {
        let fixture = try RepositoryFixture(storage)
        let damaged = try fixture.backup(TestImages.random(byteCount: 400_000, seed: 72)).snapshot
        let missing = try fixture.backup(TestImages.random(byteCount: 200_000, seed: 75)).snapshot
        try fixture.repository.mark([damaged], .protect)
        let kept = try fixture.backup(TestImages.random(byteCount: 300_000, seed: 73)).snapshot
        try storage.delete(.snapshot(missing.id))
        try flip(.snapshot(damaged.id))
        let bytes = storage.objects[.snapshot(damaged.id)]
        let before = storage.objects
        let report = try fixture.repair()
        #expect(!report.isWhole && report.steps == [] && storage.objects == before)
        #expect(throws: RepositoryError.self) { try fixture.repository.prune(cancellation: Cancellation()) }
        let dropped = try fixture.repair { $0.dropsLostSnapshots = true }
        #expect(dropped.isWhole && dropped.steps.map(\.action) == [.drop, .drop])
        #expect(names(.quarantine).map { storage.objects[$0] } == [bytes])
        #expect(try fixture.repository.prune(cancellation: Cancellation()).deleted.count > 0)
        #expect(try fixture.repository.snapshots().snapshots.map(\.id) == [kept.id])
        #expect(try errors(fixture) == [])
        #expect(try fixture.restore(kept) == TestImages.random(byteCount: 300_000, seed: 73))
    }

    @Test func `what is read wrongly once is not taken away`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        let faulty = FaultInjectingStorage(storage)
        let other = try RepositoryFixture(opening: faulty, like: fixture)
        let before = storage.objects
        faulty.corruptNextGet(of: try #require(names(.index).first), byteAt: 70)
        _ = try other.repair()
        #expect(before.allSatisfy { storage.objects[$0.key] == $0.value } && names(.quarantine).isEmpty)
        #expect(try fixture.repair().isWhole && fixture.restore(snapshot) == image)
    }

    @Test(arguments: [ObjectKind.packs, .maps]) func `a pack that is read wrongly once, or cannot be read once, is not condemned`(kind: ObjectKind) throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        let faulty = FaultInjectingStorage(storage)
        let other = try RepositoryFixture(opening: faulty, like: fixture)
        let pack = try #require(names(kind).first)
        let before = storage.objects
        for isUnreadable in [false, true] {
            if isUnreadable {
                faulty.injectNext(.fails(.failed(object: pack.path, operation: "read", reason: "injected"))) { $0 == .get(pack) }
            } else {
                faulty.corruptNextGet(of: pack, byteAt: 100)
            }
            let report = try other.repair { $0.data = .all }
            #expect(report.steps == [] && storage.objects == before)
            #expect(!report.isWhole && report.problems.contains { $0.object == pack.path && $0.reason.contains("second") })
        }
        #expect(try fixture.repair { $0.data = .all }.isWhole && fixture.restore(snapshot) == image)
    }

    @Test func `a prune that is under way when its list is damaged and taken away deletes nothing`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(image).snapshot
        _ = try fixture.backup([1, 2, 3])
        try fixture.repository.mark([first], .forget)
        let faulty = FaultInjectingStorage(storage)
        let pruner = try RepositoryFixture(opening: faulty, like: fixture)
        let healed = Monitor<Snapshot?>(nil)
        // The first listing is the plan's; at the second the prune has all that it decides from.
        faulty.afterNext(.list(.maps)) {
            faulty.afterNext(.list(.maps)) {
                do {
                    for name in names(.condemned) { try flip(name) }
                    #expect(throws: RepositoryError.self) { try fixture.backup(image) }
                    #expect(try fixture.repair().isWhole)
                    let snapshot = try fixture.backup(image).snapshot
                    #expect(snapshot.manifest.counters.newByteCount == 0, "the packs count again")
                    healed.withLock { $0 = snapshot }
                } catch { Issue.record(error) }
            }
        }
        #expect(try pruner.repository.prune(cancellation: Cancellation()).deleted.count == 0)
        #expect(try fixture.restore(try #require(healed.withLock { $0 })) == image)
        #expect(try errors(fixture) == [])
    }

    @Test func `a list whose prune has decided stays when it is damaged, as packs may be going`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(image).snapshot
        try fixture.repository.mark([first], .forget)
        let faulty = FaultInjectingStorage(storage)
        let pruner = try RepositoryFixture(opening: faulty, like: fixture)
        // Its first deletion is that of the manifest.
        faulty.afterNext(.delete(.snapshot(first.id))) {
            do {
                let list = try #require(names(.condemned).first { $0.condemnedID != nil })
                let sound = try #require(storage.objects[list])
                try flip(list)
                let report = try fixture.repair()
                #expect(report.problems.contains { $0.object == list.path && $0.severity == .error } && storage.objects[list] != nil)
                storage.overwrite(list, with: sound)
            } catch { Issue.record(error) }
        }
        #expect(try pruner.repository.prune(cancellation: Cancellation()).deleted.count > 0)
        #expect(try fixture.repair().isWhole)
    }

    // MARK: Rights

    @Test func `a key that only backs up does its part, and says what is left`() throws {
        let repository = try DamagedRepository()
        let (fixture, storage) = (repository.fixture, repository.storage)
        let key = KeyFile.random()
        _ = try fixture.repository.addSlot(role: .backup, credential: .keyFile(key), cost: .moderate, label: "second")
        let machine = try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment())
        for kind in [ObjectKind.packs, .index, .sessions, .condemned] { try flip(repository.objects(kind)[0], at: 100, in: storage) }
        let report = try RepositoryFixture(with: machine, storage, like: fixture).repair { $0.data = .all }
        #expect(Set(report.steps.map(\.action)) == [.condemn, .index, .quarantine])
        #expect(report.problems.filter { $0.severity == .error }.map(\.object).sorted() == [repository.objects(.condemned)[0].path, repository.objects(.sessions)[0].path])
        #expect(Set(report.lost.map(\.snapshot)) == Set(repository.snapshots))
        // Its list is accepted by others, and the rest is done by one who may.
        #expect(try fixture.repair().lost == report.lost)
        _ = try fixture.backup(repository.image)
        #expect(try errors(fixture) == [] && repository.restoresRightOrThrows())
    }

    // MARK: At once, and interrupted

    @Test func `two repairs at once both end well`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        for name in names(.index) { try flip(name) }
        for name in names(.packs) { try flip(name, at: 100) }
        let repairers = try (0..<2).map { _ in try RepositoryFixture(opening: storage, like: fixture) }
        onThreads(2, "repair") { number in
            do { _ = try repairers[number].repair { $0.data = .all } } catch { Issue.record(error) }
        }
        _ = try fixture.backup(image)
        #expect(try fixture.repair { $0.data = .all }.isWhole)
        #expect(try fixture.restore(snapshot) == image && errors(fixture) == [])
    }

    @Test func `a repair during a backup takes nothing from it`() throws {
        let fixture = try RepositoryFixture(storage)
        let snapshot = try fixture.backup(image).snapshot
        for name in names(.index) { try flip(name) }
        let new = TestImages.random(byteCount: 700_000, seed: 74)
        let faulty = FaultInjectingStorage(storage)
        let other = try RepositoryFixture(opening: faulty, like: fixture, environment: RepositoryFixture.environment(host: "elsewhere"))
        // Its packs are there, and no index object names them yet.
        faulty.afterNext(.barrier) {
            faulty.afterNext(.barrier) { do { #expect(try fixture.repair { $0.data = .all }.isWhole) } catch { Issue.record(error) } }
        }
        let second = try other.backup(new).snapshot
        #expect(!names(.quarantine).isEmpty)
        #expect(try fixture.restore(snapshot) == image && fixture.restore(second) == new)
        #expect(try errors(fixture) == [])
    }

    @Test func `wherever a repair is cut off, the next one finishes it and nothing is lost`() throws {
        let repository = try DamagedRepository()
        let manifest = ObjectName.snapshot(repository.snapshots[1])
        for kind in [ObjectKind.packs, .index, .sessions, .condemned] { try flip(repository.objects(kind)[0], at: 100, in: repository.storage) }
        try flip(manifest, in: repository.storage)
        let damaged = repository.storage.objects
        var position = 0
        var states = 0
        var isDone = false
        while !isDone {
            for fault in [StorageFault.crashBefore, .crashAfter, .replyLost(.unavailable(object: "storage", reason: "injected"))] {
                let crashing = CrashingStorage(MemoryStorage(objects: damaged))
                let faulty = FaultInjectingStorage(crashing)
                let dying = try RepositoryFixture(opening: faulty, like: repository.fixture)
                faulty.reset()
                faulty.inject(fault, at: position, counting: .mutating)
                do { _ = try dying.repair(RepairTests.thoroughly) } catch is RepositoryError {}
                isDone = faulty.mutatingOperationCount <= position
                let volatile = crashing.volatileNames.sorted { $0.path < $1.path }
                var left = [crashing.crash { _ in true }]
                if fault == .crashBefore || fault == .crashAfter {
                    left += [crashing.crashLosingEverything()] + volatile.map { name in crashing.crash { $0 == name } }
                }
                for storage in left {
                    try expectFinished(storage, damaged, repository, "\(fault) at change \(position)")
                    states += 1
                }
            }
            position += 1
        }
        print("repair: \(position - 1) changes, \(states) states examined")
        #expect(position > 15)
    }

    private static func thoroughly(_ options: inout RepairOptions) {
        options.data = .all
        options.threadCount = 1
        options.dropsLostSnapshots = true
    }

    private func expectFinished(_ storage: MemoryStorage, _ damaged: [ObjectName: [UInt8]], _ repository: DamagedRepository, _ comment: Comment) throws {
        let fixture = try RepositoryFixture(opening: storage, like: repository.fixture)
        let report = try fixture.repair(RepairTests.thoroughly)
        #expect(!report.problems.contains { $0.severity == .error }, comment)
        _ = try fixture.backup(repository.image)
        #expect(try errors(fixture) == [], comment)
        #expect(try fixture.restore(try fixture.repository.snapshot(repository.snapshots[0])) == repository.image, comment)
        let kept = Set(storage.objects.values)
        #expect(damaged.values.allSatisfy { kept.contains($0) }, comment)
    }
}

extension RepositoryFixture {
    func repair(_ choose: (inout RepairOptions) -> Void = { _ in }) throws -> RepairReport {
        var options = RepairOptions()
        choose(&options)
        return try repository.repair(options, progress: ProgressCounters(), cancellation: Cancellation())
    }
}
