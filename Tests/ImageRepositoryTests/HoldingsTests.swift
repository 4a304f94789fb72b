@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import TestSupport
import Testing

struct HoldingsTests {
    private let storage = MemoryStorage()

    private func packedByteCount() -> Int { storage.objects.reduce(0) { $0 + ($1.key.kind == .packs || $1.key.kind == .maps ? $1.value.count : 0) } }

    @Test func `what a snapshot and a machine hold alone is what forgetting them frees`() throws {
        let fixture = try RepositoryFixture(storage)
        let other = try RepositoryFixture(opening: storage, like: fixture, environment: RepositoryFixture.environment(host: "other"))
        // Enough bands for a tree; all machines have the first part.
        let system = TestImages.random(byteCount: 3 << 20, seed: 1)
        func image(_ seed: UInt64) -> [UInt8] { system + TestImages.random(byteCount: 2 << 20, seed: seed) + [UInt8](repeating: 0, count: 20 << 20) + system.prefix(100_000) }
        let own = image(2)
        let first = try fixture.backup(own, name: "a").snapshot
        let second = try fixture.backup(own + TestImages.random(byteCount: 1 << 20, seed: 3), name: "a").snapshot
        let third = try other.backup(image(4), name: "b").snapshot
        let holdings = try fixture.repository.holdings(cancellation: Cancellation())
        /// But for maps, and for chunks that the keys of each run let end beside a border of the parts.
        func isAbout(_ byteCount: some BinaryInteger, _ wanted: Int) -> Bool { abs(Int(byteCount) - wanted) < 300_000 }
        let alone = try [first, second, third].map { Int(try #require(holdings.snapshots[$0.id])) }
        #expect(isAbout(alone[0], 0), "all its data are in the second, too")
        #expect(isAbout(alone[1], 1 << 20))
        #expect(isAbout(alone[2], 2 << 20))
        let hosts = holdings.hosts
        #expect(hosts["test-host"]?.snapshotCount == 2 && hosts["other"] == .init(snapshotCount: 1, aloneByteCount: UInt64(alone[2])))
        #expect(isAbout(hosts["test-host"]?.aloneByteCount ?? 0, 3 << 20))
        #expect(isAbout(holdings.sharedByteCount, 3 << 20) && holdings.unheldByteCount == 0)

        let before = packedByteCount()
        try fixture.repository.mark([second], .forget)
        #expect(try fixture.repository.holdings(cancellation: Cancellation()).unheldByteCount == UInt64(alone[1]))
        var options = PruneOptions()
        options.unusedPercentMax = 0
        _ = try fixture.repository.prune(options, cancellation: Cancellation())
        #expect(isAbout(before - packedByteCount(), alone[1]))
        #expect(try fixture.repository.holdings(cancellation: Cancellation()).unheldByteCount == 0)
    }
}
