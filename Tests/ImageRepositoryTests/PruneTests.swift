import Bytes
import DiskImages
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Synchronization
import Threading
import TestSupport
import Testing

struct PruneTests {
    private let storage = MemoryStorage()
    private let old = TestImages.random(byteCount: 300_000, seed: 1)
    private let new = TestImages.random(byteCount: 200_000, seed: 2)

    private func prune(_ repository: Repository) throws -> PruneReport { try repository.prune(cancellation: Cancellation()) }

    /// Another process, on another machine, with the same key.
    private func elsewhere(_ fixture: RepositoryFixture) throws -> RepositoryFixture {
        try RepositoryFixture(opening: storage, like: fixture, environment: RepositoryFixture.environment(host: "elsewhere"))
    }

    private func expectSound(_ fixture: RepositoryFixture, _ contents: [[UInt8]]) throws {
        // Sessions that ran at once have the same ordinal, in no order.
        let found = try fixture.repository.snapshots(includingForgotten: true).snapshots.map { try fixture.restore($0) }
        #expect(found.sorted { $0.count < $1.count } == contents.sorted { $0.count < $1.count })
        #expect(try fixture.check(.all).problems.filter { $0.severity == .error }.map(\.reason) == [])
    }

    private var packNames: Set<ObjectName> { Set(storage.objects.keys.filter { $0.kind == .packs || $0.kind == .maps }) }

    @Test func `what a forgotten snapshot alone needed is deleted, as the plan said`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        let before = packNames
        _ = try fixture.backup(new)
        #expect(try prune(fixture.repository).deleted.count == 0, "nothing is forgotten yet")
        try fixture.repository.mark([first], .forget)
        let plan = try fixture.repository.prunePlan(cancellation: Cancellation())
        let report = try prune(fixture.repository)
        #expect(report.deleted == plan.deleted && plan.snapshots == [first.id] && report.snapshotCount == 1)
        #expect(packNames.isDisjoint(with: before) && !packNames.isEmpty)
        try expectSound(fixture, [new])
        #expect(try fixture.check(.all).problems.isEmpty)
        #expect(throws: RepositoryError.self) { try fixture.repository.mark([first], .undelete) }
        #expect(try fixture.backup(old).snapshot.manifest.counters.newByteCount == 300_000, "it is stored again")
        try expectSound(fixture, [new, old])
    }

    @Test func `what both snapshots need stays`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        _ = try fixture.backup(old + new)
        try fixture.repository.mark([first], .forget)
        _ = try prune(fixture.repository)
        try expectSound(fixture, [old + new])
    }

    @Test func `a protected snapshot that was forgotten before stays`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        #expect(throws: RepositoryError.self) { try fixture.repository.mark([first], .protect) }
        // Another program may do so.
        #expect(try fixture.repository.claimMark(.protect, first.id, number: 1) == .created)
        #expect(try prune(fixture.repository).snapshotCount == 0)
        try fixture.repository.mark([first], .undelete)
        try expectSound(fixture, [old])
    }

    @Test func `a prune during a backup waits for it, and spares what it came to need`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        let other = try elsewhere(fixture)
        let before = packNames
        let waiting = Mutex<[OpenSession]>([])
        // The backup has read the index; the data it finds there are condemned meanwhile.
        _ = try other.backup(HookedImageReader(old) {
            do { try waiting.withLock { $0 = try prune(fixture.repository).waitsFor } } catch { Issue.record(error) }
        })
        #expect(waiting.withLock { $0.map(\.record.host) } == ["elsewhere"])
        #expect(packNames.isSuperset(of: before))
        let report = try prune(fixture.repository)
        #expect(report.waitsFor.isEmpty && report.sparedPackCount > 0)
        try expectSound(fixture, [old])
        #expect(try prune(fixture.repository).deleted.count == 0)
    }

    @Test func `a backup that begins after packs were condemned stores anew what they hold`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        let other = try elsewhere(fixture)
        let before = packNames
        _ = try other.backup(HookedImageReader(new) {
            do {
                _ = try prune(fixture.repository)
                #expect(try fixture.backup(old).snapshot.manifest.counters.newByteCount == 300_000)
            } catch { Issue.record(error) }
        })
        #expect(try prune(fixture.repository).sparedPackCount == 0)
        #expect(packNames.isDisjoint(with: before))
        try expectSound(fixture, [new, old])
    }

    @Test(arguments: [false, true]) func `a prune waits for backups that began before it, not for later ones`(isRecordDamaged: Bool) throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        let before = packNames
        let (early, late) = (try elsewhere(fixture), try elsewhere(fixture))
        let third = TestImages.random(byteCount: 100_000, seed: 3)
        // The early backup ends while the late one runs: there is never a moment without any.
        _ = try early.backup(HookedImageReader(new) {
            do { #expect(try prune(fixture.repository).waitsFor.count == 1) } catch { Issue.record(error) }
        })
        if isRecordDamaged {
            for (name, bytes) in storage.objects where name.leaf.hasSuffix(".sessions") { storage.overwrite(name, with: bytes.map { $0 ^ 1 }) }
        }
        _ = try late.backup(HookedImageReader(third) {
            do {
                let report = try prune(fixture.repository)
                #expect(isRecordDamaged ? report.deleted.count == 0 && report.waitsFor.count == 1 : report.deleted.count > 0)
            } catch { Issue.record(error) }
        })
        if isRecordDamaged { #expect(try prune(fixture.repository).deleted.count > 0) }
        #expect(packNames.isDisjoint(with: before))
        try expectSound(fixture, [third, new])
        #expect(!storage.objects.keys.contains { $0.kind == .condemned && !$0.leaf.hasSuffix(".verdict") })
    }

    @Test func `a condemned pack whose directory lies on unreadable sectors is spared, as it may hold what is needed`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        let other = try elsewhere(fixture)
        _ = try other.backup(HookedImageReader(old) {
            do { #expect(try prune(fixture.repository).waitsFor.count == 1) } catch { Issue.record(error) }
        })
        let (name, bytes) = try #require(storage.objects.first { $0.key.kind == .packs })
        let disk = FaultInjectingStorage(storage)
        disk.failGets(of: name, byteAt: UInt64(bytes.count - 1))
        let report = try prune(try RepositoryFixture(opening: disk, like: fixture).repository)
        #expect(report.sparedPackCount > 0 && storage.objects[name] == bytes)
        try expectSound(fixture, [old])
    }

    @Test func `a prune that has to look again because an index object was replaced reports all that it did`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        _ = try fixture.backup(new)
        try fixture.repository.mark([first], .forget)
        let other = storage.copy()
        func prune(_ disk: FaultInjectingStorage) throws -> PruneReport { try self.prune(try RepositoryFixture(opening: disk, like: fixture).repository) }
        // Once undisturbed, to learn which call reads an index object last: packs are deleted by then.
        let undisturbed = FaultInjectingStorage(other)
        let expected = try prune(undisturbed)
        let calls = undisturbed.operations
        let last = try #require(calls.lastIndex { if case .get(let name) = $0 { name.kind == .index } else { false } })
        guard case .get(let name) = calls[last] else { return }
        let disturbed = FaultInjectingStorage(storage)
        disturbed.inject(.fails(.notFound(name)), at: last)
        let report = try prune(disturbed)
        #expect(expected.deleted.count > 0 && report.deleted == expected.deleted && report.snapshotCount == 1)
        #expect(report.rewrittenIndexCount == expected.rewrittenIndexCount)
        try expectSound(fixture, [new])
    }

    @Test func `a prune names every session that one of the open lists waits for`() throws {
        let fixture = try RepositoryFixture(storage)
        let others = (try elsewhere(fixture), try elsewhere(fixture))
        let awaited = Mutex<(running: Set<SessionID>, named: [SessionID])>(([], []))
        _ = try others.0.backup(HookedImageReader(old) {
            do {
                _ = try others.1.backup(HookedImageReader(new) {
                    do {
                        let running = try fixture.repository.openSessions().map(\.id)
                        for session in running { try putList(fixture.repository, awaiting: session) }
                        let named = try prune(fixture.repository).waitsFor.map(\.id)
                        awaited.withLock { $0 = (Set(running), named) }
                    } catch { Issue.record(error) }
                })
            } catch { Issue.record(error) }
        })
        let (running, named) = awaited.withLock { $0 }
        #expect(running.count == 2 && named.count == 2 && Set(named) == running)
    }

    /// An open list, as a prune leaves it that had to wait for this session alone.
    private func putList(_ repository: Repository, awaiting session: SessionID) throws {
        let id = Sodium.randomID()
        func put(_ name: ObjectName, _ type: ObjectType, _ body: [UInt8]) throws {
            _ = try storage.put(name, repository.sealer.seal(body, repository.sealer.repositoryBinding(type, name: name.path)).span)
        }
        try put(.condemned(id), .condemnedList, CondemnedList(kind: .prune, dataPacks: [], mapPacks: []).body)
        try put(.awaitedSessions(id), .awaitedSessions, AwaitedSessions(sessions: [session]).body)
    }

    @Test func `a session that was ended cannot commit, and says so`() throws {
        let fixture = try RepositoryFixture(storage)
        _ = try fixture.backup(old)
        let other = try elsewhere(fixture)
        let reader = HookedImageReader(new) {
            do {
                let session = try #require(try fixture.repository.openSessions().first)
                #expect(try fixture.repository.endSession(session.id, reason: "a test"))
                #expect(try fixture.repository.openSessions().isEmpty)
                #expect(try !fixture.repository.endSession(session.id, reason: "again"))
            } catch { Issue.record(error) }
        }
        #expect { try other.backup(reader) } throws: { if case RepositoryError.sessionEnded = $0 { true } else { false } }
        _ = try prune(fixture.repository)
        try expectSound(fixture, [old])
    }

    @Test func `two prunes at once, one of which finishes the other's list, agree`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        _ = try fixture.backup(new)
        try fixture.repository.mark([first], .forget)
        for _ in 0..<2 {
            let pruners = try (0..<3).map { _ in try elsewhere(fixture) }
            onThreads(3, "prune") { number in
                // One may find a list or a pack gone under its hands; it stops then, and nothing is lost.
                do { _ = try pruners[number].repository.prune(cancellation: Cancellation()) } catch {}
            }
        }
        _ = try prune(fixture.repository)
        try expectSound(fixture, [new])
        #expect(!storage.objects.keys.contains { $0.kind == .condemned && !$0.leaf.hasSuffix(".verdict") })
    }

    /// A prune that cannot know what is needed deletes nothing.
    @Test(arguments: [ObjectKind.snapshots, .index, .maps, .packs, .condemned, .sessions]) func `damage stops a prune`(kind: ObjectKind) throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        _ = try fixture.backup(old + new)
        try fixture.repository.mark([first], .forget)
        if kind == .condemned || kind == .sessions {
            _ = try storage.put(ObjectName(kind, RandomID([UInt8](repeating: 3, count: 16)).hexadecimal), [1, 2, 3].span)
        } else if kind == .packs {
            // Gone, though the second snapshot needs it.
            let name = try #require(storage.objects.keys.filter { $0.kind == kind }.min { $0.leaf < $1.leaf })
            try storage.delete(name)
        } else {
            for (name, sound) in storage.objects where name.kind == kind {
                var damaged = sound
                damaged[60] ^= 1
                storage.overwrite(name, with: damaged)
            }
        }
        let before = storage.objects.filter { $0.key.kind != .marks }
        #expect(throws: RepositoryError.self) { try prune(fixture.repository) }
        #expect(storage.objects.filter { before[$0.key] != nil } == before)
    }

    @Test(arguments: [0, 1, 2]) func `snapshots that are missing without a trace of a prune stop it`(lost: Int) throws {
        let fixture = try RepositoryFixture(storage)
        let snapshots = try [old, new, old + new].map { try fixture.backup($0).snapshot }
        try fixture.repository.mark([snapshots[1]], .protect)
        // The last is known to nobody but the index; then all of them are gone.
        for snapshot in lost == 2 ? snapshots : [snapshots[lost]] { try storage.delete(.snapshot(snapshot.id)) }
        let before = storage.objects
        #expect(throws: RepositoryError.self) { try prune(fixture.repository) }
        #expect(storage.objects == before)
    }

    /// A second full key.
    private func secondKey(_ fixture: RepositoryFixture) throws -> (repository: Repository, slot: SlotID) {
        let key = KeyFile.random()
        let slot = try fixture.repository.addSlot(role: .full, credential: .keyFile(key), cost: .moderate, label: "second")
        return (try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment()), slot)
    }

    @Test func `packs stay condemned when the key of who condemned them is removed, and the next prune finishes`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        let second = try secondKey(fixture)
        _ = try elsewhere(fixture).backup(HookedImageReader(new) {
            do {
                #expect(try prune(second.repository).waitsFor.count == 1)
                try fixture.repository.removeSlot(second.slot)
                #expect(try fixture.backup(old).snapshot.manifest.counters.newByteCount == 300_000)
            } catch { Issue.record(error) }
        })
        #expect(try prune(fixture.repository).deleted.count > 0)
        try expectSound(fixture, [new, old])
        #expect(!storage.objects.keys.contains { $0.kind == .condemned && !$0.leaf.hasSuffix(".verdict") })
    }

    @Test func `a snapshot that a key brought back is not ended when that key is removed`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        _ = try fixture.backup(new)
        try fixture.repository.mark([first], .forget)
        let second = try secondKey(fixture)
        try second.repository.mark([first], .undelete)
        try fixture.repository.removeSlot(second.slot)
        #expect(try prune(fixture.repository).snapshotCount == 0)
        #expect(try fixture.restore(first) == old)
    }

    @Test func `of maps that were stored again because a pack is damaged, the sound copy stays`() throws {
        let fixture = try RepositoryFixture(storage)
        _ = try fixture.backup(old)
        let damagedPacks = storage.objects.keys.filter { $0.kind == .maps }
        for (name, sound) in storage.objects where name.kind == .maps {
            var damaged = sound
            damaged[100] ^= 1
            storage.overwrite(name, with: damaged)
        }
        let healed = try fixture.backup(old).snapshot
        #expect(try prune(fixture.repository).deleted.count == damagedPacks.count)
        #expect(damagedPacks.allSatisfy { storage.objects[$0] == nil })
        #expect(try fixture.restore(healed) == old)
        #expect(try fixture.check(.all).problems.isEmpty)
    }

    @Test func `what a dead session left goes at once, though nothing was forgotten`() throws {
        let fixture = try RepositoryFixture(storage)
        _ = try fixture.backup(old)
        let before = packNames
        let faulty = FaultInjectingStorage(storage)
        let dying = try RepositoryFixture(opening: faulty, like: fixture)
        faulty.reset()
        // After its first pack.
        faulty.inject(.crashAfter, at: 2, counting: .mutating)
        #expect(throws: RepositoryError.self) { try dying.backup(new) }
        #expect(packNames.count > before.count && storage.objects.keys.contains { $0.kind == .sessions })
        // Its own number runs, as far as anybody can tell; another process asks.
        var environment = RepositoryFixture.environment()
        environment.processID = 2
        let report = try prune(try RepositoryFixture(opening: storage, like: fixture, environment: environment).repository)
        #expect(report.waitsFor.isEmpty && packNames == before)
        #expect(!storage.objects.keys.contains { $0.kind == .sessions })
        try expectSound(fixture, [old])
    }

    @Test func `every byte turned of a verdict is found, and stops a prune that has to follow it`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        _ = try fixture.backup(new)
        try fixture.repository.mark([first], .forget)
        let lists = Mutex<[ObjectName: [UInt8]]>([:])
        let other = try elsewhere(fixture)
        _ = try other.backup(HookedImageReader(new) {
            do { _ = try prune(fixture.repository) } catch { Issue.record(error) }
            lists.withLock { $0 = storage.objects.filter { $0.key.kind == .condemned } }
        })
        let packs = storage.objects.filter { $0.key.kind == .packs || $0.key.kind == .maps }
        _ = try prune(fixture.repository)
        let (verdict, sound) = try #require(storage.objects.first { $0.key.leaf.hasSuffix(".verdict") })
        // As if the prune had been cut off after its decision.
        for (name, bytes) in lists.withLock({ $0 }).merging(packs, uniquingKeysWith: { first, _ in first }) { _ = try storage.put(name, bytes.span) }
        for offset in sound.indices {
            var damaged = sound
            damaged[offset] ^= 0x10
            storage.overwrite(verdict, with: damaged)
            #expect(try fixture.check(.structure).problems.contains { $0.severity == .error && $0.object == verdict.path })
            if offset % 40 == 0 { #expect(throws: RepositoryError.self) { try prune(fixture.repository) } }
        }
        #expect(packs.allSatisfy { storage.objects[$0.key] == $0.value })
        storage.overwrite(verdict, with: sound)
        _ = try prune(fixture.repository)
        #expect(storage.objects.keys.count { $0.kind == .packs || $0.kind == .maps } < packs.count)
        try expectSound(fixture, [new, new])
    }

    @Test func `a key that only backs up may neither prune nor end sessions`() throws {
        let fixture = try RepositoryFixture(storage)
        let key = KeyFile.random()
        _ = try fixture.repository.addSlot(role: .backup, credential: .keyFile(key), cost: .moderate, label: "machine")
        let machine = try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment())
        for attempt in [{ _ = try prune(machine) }, { _ = try machine.endSession(SessionID(Sodium.randomID()), reason: "") }] {
            #expect { try attempt() } throws: { if case RepositoryError.notPermitted = $0 { true } else { false } }
        }
    }
}
