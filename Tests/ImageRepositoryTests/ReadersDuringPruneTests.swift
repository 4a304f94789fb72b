import Bytes
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import Synchronization
import Testing
import TestSupport

/// Who reads while a prune copies what is needed out of its packs (Ordering 17).
struct ReadersDuringPruneTests {
    /// A snapshot whose chunks lie in a pack of a forgotten one, and a prune that has yet to move them.
    private struct Scene {
        let storage = FaultInjectingStorage(MemoryStorage())
        let fixture: RepositoryFixture
        let kept: Snapshot
        let bytes = TestImages.random(byteCount: 300_000, seed: 91)
        private let other: RepositoryFixture

        init() throws {
            fixture = try RepositoryFixture(storage)
            other = try RepositoryFixture(opening: storage, like: fixture)
            let first = try fixture.backup(bytes + TestImages.random(byteCount: 600_000, seed: 92), name: "first").snapshot
            kept = try fixture.backup(bytes, name: "kept").snapshot
            try fixture.repository.mark([first], .forget)
        }

        /// Returns how many prunes ran and deleted something, when the next such call has been answered.
        func prune(afterNext operation: StorageOperation) -> @Sendable () -> Int {
            let counter = Counter()
            let repository = other.repository
            storage.afterNext(operation) {
                do {
                    let report = try repository.prune(cancellation: Cancellation())
                    if report.deleted.count > 0 { counter.add() }
                } catch { Issue.record("\(error)") }
            }
            return { counter.value }
        }
    }

    private final class Counter: Sendable {
        private let count = Mutex(0)
        func add() { count.withLock { $0 += 1 } }
        var value: Int { count.withLock { $0 } }
    }

    /// The first is between the listing of index objects and their reading, the second between index and data.
    @Test(arguments: [ObjectKind.index, .maps]) func `a restore finds what a prune has moved`(kind: ObjectKind) throws {
        let scene = try Scene()
        let pruned = scene.prune(afterNext: .list(kind))
        #expect(try scene.fixture.restore(scene.kept) == scene.bytes)
        #expect(pruned() == 1)
    }

    @Test(arguments: [ObjectKind.index, .maps]) func `a check does not hold for missing what a prune has moved`(kind: ObjectKind) throws {
        let scene = try Scene()
        let pruned = scene.prune(afterNext: .list(kind))
        #expect(try scene.fixture.check(.all).problems.filter { $0.severity == .error } == [])
        #expect(pruned() == 1)
    }
}
