import Bytes
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import TestSupport
import Testing
import Threading

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

    // MARK: Marks that are lost for good

    /// Two snapshots, of which the first has these marks, and the one with that number is damaged or gone.
    private struct LostMark {
        let memory = MemoryStorage()
        let fixture: RepositoryFixture
        let snapshot: Snapshot
        let kept: Snapshot
        let image = TestImages.random(byteCount: 300_000, seed: 2)
        var repository: Repository { fixture.repository }

        init(_ kinds: [Mark.Kind], lost: UInt64, isDeleted: Bool = false) throws {
            fixture = try RepositoryFixture(memory)
            snapshot = try fixture.backup(image).snapshot
            kept = try fixture.backup(TestImages.random(byteCount: 200_000, seed: 3)).snapshot
            for (number, kind) in kinds.enumerated() { _ = try fixture.repository.claimMark(kind, snapshot.id, number: UInt64(number)) }
            let name = ObjectName.mark(snapshot.id, lost)
            var bytes = try #require(memory.objects[name])
            bytes[60] ^= 1
            if isDeleted { try memory.delete(name) } else { memory.overwrite(name, with: bytes) }
        }

        func prune() throws -> PruneReport { try repository.prune(cancellation: Cancellation()) }

        func markErrors() throws -> [String] { try fixture.check(.all).problems.filter { $0.severity == .error }.map(\.object) }
    }

    @Test(arguments: [[Mark.Kind.forget], [.forget, .undelete], [.protect, .unprotect, .forget], [.final], [.forget, .final]])
    func `a snapshot whose last mark is damaged is kept, and no prune is stopped, until it is forgotten`(kinds: [Mark.Kind]) throws {
        let lost = try LostMark(kinds, lost: UInt64(kinds.count - 1))
        let report = try lost.prune()
        #expect(report.snapshotCount == 0 && report.deleted.count == 0)
        #expect(report.problems.map(\.object) == ["marks/\(lost.snapshot.id.hexadecimal).\(kinds.count - 1)"])
        #expect(try lost.markErrors() == report.problems.map(\.object))
        let listed = try #require(try lost.repository.snapshots().snapshots.first { $0.id == lost.snapshot.id }, "it is listed as one that is there")
        #expect(listed.isDoubtful && !listed.isForgotten)
        #expect(try lost.fixture.restore(listed) == lost.image)
        for kind in [Mark.Kind.undelete, .protect] {
            #expect(throws: RepositoryError.self, "what may be final cannot be promised to stay") { try lost.repository.mark([listed], kind) }
        }
        #expect(try lost.repository.mark([listed], .forget) == [listed.id])
        #expect(throws: RepositoryError.self, "nor after it was forgotten") { try lost.repository.mark([listed], .undelete) }
        #expect(try lost.markErrors() == [])
        let after = try lost.prune()
        #expect(after.snapshotCount == 1 && after.deleted.count > 0)
        #expect(try lost.fixture.check(.all).problems.isEmpty && lost.repository.snapshots(includingForgotten: true).snapshots.map(\.id) == [lost.kept.id])
    }

    @Test(arguments: [true, false]) func `a lost mark below others leaves what the later ones say`(isDeleted: Bool) throws {
        for (last, isForgotten, isProtected) in [(Mark.Kind.undelete, false, false), (.protect, false, true), (.forget, true, false)] {
            let lost = try LostMark([.forget, last], lost: 0, isDeleted: isDeleted)
            let state = try #require(try lost.repository.readMarks().states[lost.snapshot.id])
            #expect((state.isForgotten, state.isProtected, state.isDoubtful, state.mayBeFinal) == (isForgotten, isProtected, false, isForgotten))
            #expect(state.nextNumber == 2)
            #expect(try lost.fixture.check(.all).problems.map(\.severity) == [.warning])
            #expect(try lost.prune().snapshotCount == (isForgotten ? 1 : 0))
        }
        let ended = try LostMark([.forget, .final], lost: 0, isDeleted: isDeleted)
        #expect(try ended.repository.readMarks().states[ended.snapshot.id]?.isFinal == true && ended.markErrors() == [])
    }

    @Test func `a snapshot that is gone, and its final mark damaged, is given up on request, and prunes run again`() throws {
        let lost = try LostMark([.forget, .final], lost: 1)
        try lost.memory.delete(.snapshot(lost.snapshot.id))
        #expect(throws: RepositoryError.self) { try lost.prune() }
        #expect(try lost.fixture.repair { $0.dropsLostSnapshots = true }.steps.map(\.action) == [.drop])
        #expect(try lost.prune().deleted.count > 0)
        #expect(try lost.fixture.check(.all).problems.isEmpty)
    }

    @Test func `numbers that no mark can have are not marks`() throws {
        let lost = try LostMark([.forget, .undelete], lost: 0)
        for number in [1_000_000_000_000_000_000, UInt64.max] { _ = try lost.memory.put(.mark(lost.snapshot.id, number), [1].span) }
        #expect(try lost.repository.readMarks().states[lost.snapshot.id]?.nextNumber == 2)
        _ = try lost.memory.put(.mark(lost.snapshot.id, 999_999_999_999_999_999), [1].span)
        #expect(throws: RepositoryError.self, "there is no place for another") { try lost.repository.mark([lost.snapshot], .forget) }
        #expect(try lost.prune().snapshotCount == 0)
    }
}
