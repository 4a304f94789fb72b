import Bytes
import Foundation
@testable import ImageRepository
import Packing
import RepositoryFixtures
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

    @Test func `a large index goes into the cache in parts, and answers the same`() throws {
        let folder = TemporaryFolder()
        let storage = FaultInjectingStorage(MemoryStorage())
        let first = try RepositoryFixture(storage)
        let sealer = first.repository.sealer
        var generator = SeededGenerator(seed: 23)
        var ids: [ChunkID] = []
        for _ in 0..<7 {
            let chunks = (0..<1200).map { _ in PackDirectory.Chunk(id: ChunkID(Digest(generator.bytes(32))), byteCount: 10) }
            let segment = PackDirectory.Segment(
                offset: 48, sealedByteCount: 16_384, encodedByteCount: 12_000, decodedByteCount: 12_000, codec: .raw, keyIndex: 255,
                digest: RandomID(generator.bytes(16)), chunks: chunks)
            let directory = PackDirectory(kind: .map, epoch: 1, packByteCount: 1 << 20, keys: [], segments: [segment])
            let document = IndexDocument(packs: [.init(id: PackID(Digest(generator.bytes(32))), directory: directory)])
            let object = sealer.seal(document.encoded, sealer.repositoryBinding(.index, name: ""))
            _ = try storage.put(.index(IndexID(ObjectDigest.of(object))), object.span)
            ids += chunks.map(\.id)
        }
        let cached = try RepositoryFixture(opening: storage, like: first, environment: environment(cacheFolder: folder.path))
        let reads = try (0..<2).map { _ in
            try indexReads(storage) {
                let index = try cached.repository.loadIndex(batchChunkCount: 2500).index
                #expect(index.chunkCount == ids.count)
                #expect(ids.allSatisfy { index.locations($0).count == 1 })
            }
        }
        #expect(reads == [7, 0])
        // Who may not trust the cache reads all again, in runs of its own that do not stay.
        let own = "\(folder.path)/\(first.repository.id.hexadecimal)"
        let abandoned = "\(own)/scratch-4194303-1-1"
        try FileManager.default.createDirectory(atPath: abandoned, withIntermediateDirectories: false)
        let untrusting = try indexReads(storage) {
            let index = try cached.repository.loadIndex(trustsCache: false, batchChunkCount: 2500).index
            let numbers = ids.flatMap { index.entries($0) }.map(\.number)
            #expect(Set(numbers).count == ids.count && numbers.allSatisfy { $0 < index.entryNumberLimit })
            var seen: Set<Int> = []
            index.forEachEntry { seen.insert($0.number) }
            #expect(seen == Set(numbers))
        }
        #expect(untrusting == 7)
        #expect(try FileManager.default.contentsOfDirectory(atPath: own) == ["index"])
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
