import ImageRepository
import RepositoryFormat
import Sealing
import Storage
import TestSupport
import Testing

struct CacheTests {
    private func environment(cacheFolder: String) -> ClientEnvironment {
        var environment = RepositoryFixture.environment()
        environment.cacheFolder = cacheFolder
        return environment
    }

    /// Index objects fetched by `body`.
    private func indexReads(_ storage: FaultInjectingStorage, _ body: () throws -> Void) rethrows -> Int {
        let before = storage.operations.count
        try body()
        return storage.operations[before...].count { "\($0)".contains("get") && "\($0)".contains("index/") }
    }

    @Test func `what the cache has is not read again, and answers the same`() throws {
        let folder = TemporaryFolder()
        let storage = FaultInjectingStorage(MemoryStorage())
        let first = try RepositoryFixture(storage)
        let bytes = TestImages.random(byteCount: 40 << 20, seed: 21)
        _ = try first.backup(bytes)
        let cached = try RepositoryFixture(opening: storage, like: first, environment: environment(cacheFolder: folder.path))
        let chunkCount = try first.repository.statistics().chunkCount
        var counted: [Int] = []
        let reads = try (0..<2).map { _ in try indexReads(storage) { counted.append(try cached.repository.statistics().chunkCount) } }
        #expect(reads == [1, 0])
        #expect(counted == [chunkCount, chunkCount])
        let again = try cached.backup(bytes)
        #expect(again.snapshot.manifest.counters.newByteCount == 0)
        #expect(again.dataPackCount == 0)
        #expect(try cached.restore(again.snapshot) == bytes)
        #expect(try cached.check(.all).problems == [])
    }

    @Test func `a cache folder that cannot be made is a warning, and everything works without`() throws {
        let first = try RepositoryFixture()
        let bytes = TestImages.random(byteCount: 40 << 20, seed: 22)
        _ = try first.backup(bytes)
        let fixture = try RepositoryFixture(opening: first.storage, like: first, environment: environment(cacheFolder: "/proc/none"))
        let report = try fixture.backup(bytes)
        #expect(report.warnings.contains { $0.contains("cache folder") })
        #expect(report.snapshot.manifest.counters.newByteCount == 0)
        #expect(try fixture.restore(report.snapshot) == bytes)
    }
}
