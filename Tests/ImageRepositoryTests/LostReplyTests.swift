import Bytes
import ImageFixtures
import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import Synchronization
import TestSupport
import Testing

/// A client that does not hear that its object was created, while another has already finished with that object.
struct LostReplyTests {
    private static let lost = StorageFault.replyLost(.unavailable(object: "storage", reason: "injected"))

    private let storage = FaultInjectingStorage(MemoryStorage())
    private let fixture: RepositoryFixture
    private let other: RepositoryFixture

    init() throws {
        fixture = try RepositoryFixture(storage)
        other = try RepositoryFixture(opening: storage, like: fixture)
    }

    private static func isPut(_ operation: StorageOperation, _ kind: ObjectKind) -> Bool {
        guard case .put(let name, _) = operation else { return false }
        return name.kind == kind
    }

    private static func isStat(_ operation: StorageOperation, _ kind: ObjectKind) -> Bool {
        guard case .stat(let name) = operation else { return false }
        return name.kind == kind
    }

    @Test func `a backup whose session was ended before it knew of it begins another`() throws {
        let bytes = TestImages.random(byteCount: 100_000, seed: 7)
        storage.injectNext(LostReplyTests.lost) { LostReplyTests.isPut($0, .sessions) }
        let ended = Mutex<[String]>([])
        let repository = other.repository
        storage.afterNext(where: { LostReplyTests.isStat($0, .sessions) }) { _ in
            do {
                for session in try repository.openSessions() where try repository.endSession(session.id, reason: "it is silent") {
                    ended.withLock { $0.append(session.id.hexadecimal) }
                }
            } catch { Issue.record("\(error)") }
        }
        let snapshot = try fixture.backup(bytes).snapshot
        #expect(ended.withLock { $0.count } == 1)
        #expect(ended.withLock { $0.first } != snapshot.id.hexadecimal)
        #expect(try fixture.restore(snapshot) == bytes)
        #expect(try repository.openSessions().map(\.id) == [])
    }

    /// The first time the name is looked up the list is there, the second time another prune has worked it off.
    @Test func `a prune whose list was worked off before it knew of it goes on`() throws {
        let kept = TestImages.random(byteCount: 50_000, seed: 1)
        let snapshot = try fixture.backup(kept).snapshot
        let forgotten = try fixture.backup(TestImages.random(byteCount: 100_000, seed: 2)).snapshot
        try fixture.repository.mark([forgotten], .forget)
        storage.injectNext(LostReplyTests.lost) { LostReplyTests.isPut($0, .condemned) }
        let deletedByOther = Mutex(0)
        let repository = other.repository
        storage.afterNext(where: { LostReplyTests.isStat($0, .condemned) }) { _ in
            do {
                let report = try repository.prune(cancellation: Cancellation())
                deletedByOther.withLock { $0 = report.deleted.count }
            } catch { Issue.record("\(error)") }
        }
        let report = try fixture.repository.prune(cancellation: Cancellation())
        #expect(deletedByOther.withLock { $0 } > 0)
        #expect(report.deleted.count == 0)
        #expect(try fixture.check(.all).problems == [])
        #expect(try fixture.restore(snapshot) == kept)
    }
}
