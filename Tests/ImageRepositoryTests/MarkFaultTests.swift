import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import TestSupport
import Testing

struct MarkFaultTests {
    @Test(arguments: [Mark.Kind.undelete, .unprotect]) func `a snapshot whose marks cannot be read is not said to be marked already`(kind: Mark.Kind) throws {
        let memory = MemoryStorage()
        let fixture = try RepositoryFixture(memory)
        let snapshot = try fixture.backup(TestImages.random(byteCount: 20_000, seed: 1)).snapshot
        try fixture.repository.mark([snapshot], kind == .undelete ? .forget : .protect)
        let faulty = FaultInjectingStorage(memory)
        let other = try RepositoryFixture(opening: faulty, like: fixture)
        faulty.reset()
        try #require(try other.repository.snapshots(includingForgotten: true).problems.isEmpty)
        let position = try #require(faulty.operations.firstIndex(of: .get(.mark(snapshot.id, 0))))
        // The marks are listed and read after the keyring was listed, as in the listing above.
        for offset in 0..<4 {
            faulty.reset()
            faulty.inject(.fails(.failed(object: "marks", operation: "read", reason: "injected")), at: max(0, position - offset))
            do throws(RepositoryError) { #expect(try other.repository.mark([snapshot], kind) != []) } catch { continue }
            try fixture.repository.mark([snapshot], kind == .undelete ? .forget : .protect)
        }
    }
}
