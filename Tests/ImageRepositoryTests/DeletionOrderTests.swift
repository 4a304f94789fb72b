import Bytes
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Synchronization
import TestSupport
import Testing
import Threading

/// The runs by which the model of Specs/protocol shows that a rule of Specs/ordering.md is needed, played with the real code: each would lose data without it.
struct DeletionOrderTests {
    private let storage = MemoryStorage()
    private let old = TestImages.random(byteCount: 300_000, seed: 1)
    private let new = TestImages.random(byteCount: 200_000, seed: 2)

    /// Somebody on another machine, whose calls can be waited for.
    private func watched(_ fixture: RepositoryFixture) throws -> (client: RepositoryFixture, calls: FaultInjectingStorage) {
        let calls = FaultInjectingStorage(storage)
        return (try RepositoryFixture(opening: calls, like: fixture, environment: RepositoryFixture.environment(host: "elsewhere")), calls)
    }

    private func prune(_ fixture: RepositoryFixture) throws -> PruneReport { try fixture.repository.prune(cancellation: Cancellation()) }

    /// Of a list that another has made: Ordering 15, and nothing else.
    private func workOff(_ list: (id: RandomID, list: CondemnedList), _ fixture: RepositoryFixture) throws {
        try PruneRun(fixture.repository, PruneOptions(), Cancellation()).adopt(list.id, list.list)
    }

    /// Puts a list as a prune does that dies right after.
    private func condemn(_ packs: Set<ObjectName>, _ fixture: RepositoryFixture) throws -> (id: RandomID, list: CondemnedList) {
        let repository = fixture.repository
        func ids(_ kind: ObjectKind) -> [PackID] { packs.filter { $0.kind == kind }.compactMap(\.packID) }
        let (id, list) = (Sodium.randomID(), CondemnedList(kind: .prune, dataPacks: ids(.packs), mapPacks: ids(.maps)))
        let name = ObjectName.condemned(id)
        _ = try storage.put(name, repository.sealer.seal(list.body, repository.sealer.repositoryBinding(.condemnedList, name: name.path)).span)
        return (id, list)
    }

    /// Returns how many snapshots the prune has ended.
    private func forgetAndPrune(allBut kept: Snapshot, _ fixture: RepositoryFixture) -> Int {
        do {
            try fixture.repository.mark(try fixture.repository.snapshots().snapshots.filter { $0.id != kept.id }, .forget)
            return try prune(fixture).snapshotCount
        } catch {
            Issue.record(error)
            return 0
        }
    }

    private var packs: Set<ObjectName> { Set(storage.objects.keys.filter { $0.kind == .packs || $0.kind == .maps }) }

    private func expectSound(_ fixture: RepositoryFixture, _ snapshots: [(Snapshot, [UInt8])]) throws {
        for (snapshot, bytes) in snapshots { #expect(try fixture.restore(snapshot) == bytes) }
        #expect(try fixture.check(.all).problems.filter { $0.severity == .error } == [])
    }

    // MARK: Writers

    @Test func `a backup has read the lists before the index, so that none of them is carried out in between`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        let (early, _) = try watched(fixture)
        // The prune waits for this one, and for no later one.
        _ = try early.backup(HookedImageReader(new) {
            do { #expect(try prune(fixture).waitsFor.count == 1) } catch { Issue.record(error) }
        })
        let (late, calls) = try watched(fixture)
        let deletedCount = Mutex(0)
        calls.afterNext(.list(.maps)) {
            do {
                let count = try prune(fixture).deleted.count
                deletedCount.withLock { $0 = count }
            } catch { Issue.record(error) }
        }
        let snapshot = try late.backup(old).snapshot
        #expect(deletedCount.withLock { $0 } == 2)
        try expectSound(fixture, [(snapshot, old)])
    }

    @Test func `a backup is registered before it reads the index, so that a prune which begins then waits for it`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        let (writer, calls) = try watched(fixture)
        let waiting = Mutex(0)
        calls.afterNext(.list(.maps)) {
            do {
                let count = try prune(fixture).waitsFor.count
                waiting.withLock { $0 = count }
            } catch { Issue.record(error) }
        }
        let snapshot = try writer.backup(old).snapshot
        #expect(waiting.withLock { $0 } == 1 && snapshot.manifest.counters.newByteCount == 0)
        #expect(try prune(fixture).sparedPackCount == 2)
        try expectSound(fixture, [(snapshot, old)])
    }

    // MARK: Maintainers

    @Test func `sessions are listed after the list is there, so that none begins in between unseen`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        try fixture.repository.mark([first], .forget)
        let ((pruner, calls), (writer, _)) = (try watched(fixture), try watched(fixture))
        let (begin, hasRead, isPruned) = (Gate(), Gate(), Gate())
        let waiting = Mutex(0)
        let snapshot = Mutex<Snapshot?>(nil)
        calls.beforeNext(where: \.isPutOfList) { _ in
            begin.open()
            hasRead.pass()
        }
        onThreads(2, "client") { [old] number in
            do {
                if number == 0 {
                    defer { isPruned.open() }
                    let count = try prune(pruner).waitsFor.count
                    waiting.withLock { $0 = count }
                } else {
                    begin.pass()
                    let made = try writer.backup(HookedImageReader(old) {
                        hasRead.open()
                        isPruned.pass()
                    }).snapshot
                    snapshot.withLock { $0 = made }
                }
            } catch { Issue.record(error) }
        }
        #expect(waiting.withLock { $0 } == 1)
        #expect(try prune(fixture).sparedPackCount == 2)
        try expectSound(fixture, [(try #require(snapshot.withLock { $0 }), old)])
    }

    @Test func `what is to go for good is marked so before it is found out what is needed`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        let list = try condemn(packs, fixture)
        try fixture.repository.mark([first], .forget)
        let (pruner, calls) = try watched(fixture)
        let isBack = Mutex(false)
        calls.afterNext(.list(.maps)) {
            do {
                try fixture.repository.mark([first], .undelete)
                isBack.withLock { $0 = true }
            } catch {}
        }
        try workOff(list, pruner)
        // Either it is too late, or it is really back.
        #expect(!isBack.withLock { $0 })
        try expectSound(fixture, isBack.withLock { $0 } ? [(first, old)] : [])
        #expect(packs.isEmpty)
    }

    @Test func `a snapshot that is protected at the last moment is not ended`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        let list = try condemn(packs, fixture)
        try fixture.repository.mark([first], .forget)
        let (pruner, calls) = try watched(fixture)
        // First they are listed to be settled; then to know whether snapshots are missing, when it has been found out what is to be ended.
        calls.afterNext(.list(.sessions)) {
            calls.afterNext(.list(.sessions)) { do { _ = try fixture.repository.claimMark(.protect, first.id, number: 1) } catch { Issue.record(error) } }
        }
        try workOff(list, pruner)
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.map(\.isProtected) == [true])
        try fixture.repository.mark([first], .undelete)
        try expectSound(fixture, [(first, old)])
    }

    @Test func `of two copies on two lists one stays, even if both are decided at once`() throws {
        let fixture = try RepositoryFixture(storage)
        let other = storage.copy()
        let first = try RepositoryFixture(opening: other, like: fixture).backup(old).snapshot
        let second = try fixture.backup(old).snapshot
        let lists = (try condemn(packs, fixture), try condemn(Set(other.objects.keys.filter { $0.kind == .packs || $0.kind == .maps }), fixture))
        for (name, object) in other.objects { _ = try storage.put(name, object.span) }
        #expect(packs.count == 4)
        let (pruner, calls) = try watched(fixture)
        calls.afterNext(.list(.maps)) { do { try workOff(lists.1, fixture) } catch { Issue.record(error) } }
        try workOff(lists.0, pruner)
        #expect(!storage.objects.keys.contains { $0.isCondemnedList })
        try expectSound(fixture, [(first, old), (second, old)])
    }

    @Test func `what has been decided about a list holds for everybody who works on it`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        let list = try condemn(packs, fixture)
        // This one finds that all is needed, and dies.
        let (dying, lastCalls) = try watched(fixture)
        lastCalls.injectNext(.crashAfter, where: \.isPutOfVerdict)
        #expect(throws: RepositoryError.self) { try workOff(list, dying) }
        try fixture.repository.mark([first], .forget)
        // This one finds that nothing is needed. Meanwhile the list is worked off as was decided, and a backup counts on what was spared.
        let (late, calls) = try watched(fixture)
        let snapshot = Mutex<Snapshot?>(nil)
        calls.afterNext(.list(.maps)) {
            do {
                try workOff(list, fixture)
                let made = try fixture.backup(old).snapshot
                #expect(made.manifest.counters.newByteCount == 0)
                snapshot.withLock { $0 = made }
            } catch { Issue.record(error) }
        }
        try workOff(list, late)
        try expectSound(fixture, [(try #require(snapshot.withLock { $0 }), old)])
    }

    @Test func `a list goes after its packs, so that a backup that finds no list finds no pack either`() throws {
        let fixture = try RepositoryFixture(storage)
        let first = try fixture.backup(old).snapshot
        let list = try condemn(packs, fixture)
        try fixture.repository.mark([first], .forget)
        let (pruner, calls) = try watched(fixture)
        let snapshot = Mutex<Snapshot?>(nil)
        calls.afterNext(.delete(.condemned(list.id))) {
            do {
                let made = try fixture.backup(old).snapshot
                snapshot.withLock { $0 = made }
            } catch { Issue.record(error) }
        }
        try workOff(list, pruner)
        try expectSound(fixture, [(try #require(snapshot.withLock { $0 }), old)])
    }

    @Test func `a merge keeps what is named by an index object that came after its look at the packs`() throws {
        let fixture = try RepositoryFixture(storage)
        for seed in 0..<PruneOptions.smallIndexCount { _ = try fixture.backup(TestImages.random(byteCount: 50_000, seed: UInt64(10 + seed))) }
        let (merger, calls) = try watched(fixture)
        let snapshot = Mutex<Snapshot?>(nil)
        calls.afterNext(.list(.maps)) {
            do {
                let made = try fixture.backup(new).snapshot
                snapshot.withLock { $0 = made }
            } catch { Issue.record(error) }
        }
        #expect(try merger.repository.mergeIndex() >= PruneOptions.smallIndexCount)
        try expectSound(fixture, [(try #require(snapshot.withLock { $0 }), new)])
    }

    // MARK: Commit

    @Test func `a snapshot that is forgotten and pruned before its backup has looked at it was committed all the same`() throws {
        let fixture = try RepositoryFixture(storage)
        let kept = try fixture.backup(old).snapshot
        let (writer, calls) = try watched(fixture)
        let prunedCount = Mutex(0)
        calls.afterNext(where: \.isPutOfManifest) { _ in
            let count = forgetAndPrune(allBut: kept, fixture)
            prunedCount.withLock { $0 = count }
        }
        let snapshot = try writer.backup(new).snapshot
        #expect(prunedCount.withLock { $0 } == 1)
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.map(\.id) == [kept.id])
        #expect(storage.objects[.snapshot(snapshot.id)] == nil && storage.objects[.session(snapshot.id)] == nil)
        try expectSound(fixture, [(kept, old)])
    }
}

extension DeletionOrderTests {
    @Test func `a manifest whose commit is repeated after it was pruned brings nothing back`() throws {
        let fixture = try RepositoryFixture(storage)
        let kept = try fixture.backup(old).snapshot
        let (writer, calls) = try watched(fixture)
        let prunedCount = Mutex(0)
        // The reply is lost, and before the same bytes are put again the snapshot comes to its end.
        calls.injectNext(.replyLost(.unavailable(object: "storage", reason: "injected")), where: \.isPutOfManifest)
        calls.beforeNext(where: \.isPutOfManifest) { _ in
            calls.beforeNext(where: \.isPutOfManifest) { _ in
                let count = forgetAndPrune(allBut: kept, fixture)
                prunedCount.withLock { $0 = count }
            }
        }
        let snapshot = try writer.backup(new).snapshot
        #expect(prunedCount.withLock { $0 } == 1)
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.map(\.id) == [kept.id])
        try expectSound(fixture, [(kept, old)])
        _ = try prune(fixture)
        #expect(storage.objects[.snapshot(snapshot.id)] == nil && storage.objects[.session(snapshot.id)] == nil)
        try expectSound(fixture, [(kept, old)])
    }
}

extension ObjectName {
    fileprivate var isCondemnedList: Bool { condemnedID != nil }
}

extension StorageOperation {
    fileprivate var isPutOfList: Bool { if case .put(let name, _) = self { name.isCondemnedList } else { false } }
    fileprivate var isPutOfVerdict: Bool { if case .put(let name, _) = self { name.verdictID != nil } else { false } }
    fileprivate var isPutOfManifest: Bool { if case .put(let name, _) = self { name.kind == .snapshots } else { false } }
}
