import Bytes
import Packing
import RepositoryFormat
import Storage
import TestSupport
import Testing
import Threading

/// The limit is for a writer that leaves somebody waiting for ever.
@Suite(.timeLimit(.minutes(1)))
struct PackFaultTests {
    @Test(arguments: [0, 1, 2]) func `a put that fails ends the session with its error, and nobody hangs`(position: Int) throws {
        let storage = FaultInjectingStorage(MemoryStorage(objects: [:]))
        let fixture = PackingFixture(storage)
        let fault = StorageError.failed(object: "packs", operation: "put", reason: "a test")
        storage.inject(.fails(fault), at: position, counting: .mutating)
        // Far more packs than there are buffers.
        #expect { try fixture.store(PackingFixture.chunks(80, seed: 3), level: nil, closeByteCount: 300_000) } throws: {
            if case PackingError.storage(fault) = $0 { true } else { false }
        }
        #expect(storage.mutatingOperationCount == position + 1, "after the failure nothing more is stored")
    }

    @Test func `a full storage is told as such, and finish still returns`() throws {
        let storage = FaultInjectingStorage(MemoryStorage(objects: [:]))
        let fixture = PackingFixture(storage)
        storage.fill(after: 1_000_000)
        #expect { try fixture.store(PackingFixture.chunks(40, seed: 4), level: nil, closeByteCount: 300_000) } throws: {
            if case PackingError.storage(.full) = $0 { true } else { false }
        }
    }

    @Test func `only what was stored is confirmed`() throws {
        let storage = FaultInjectingStorage(MemoryStorage(objects: [:]))
        let fixture = PackingFixture(storage)
        storage.inject(.fails(.full(object: "packs")), at: 1, counting: .mutating)
        let writer = fixture.writer(closeByteCount: 300_000)
        let builder = fixture.builder(writer, level: nil)
        do {
            for chunk in PackingFixture.chunks(30, seed: 5) { unsafe try chunk.withUnsafeBytes { unsafe try builder.append(fixture.id(chunk), $0, band: 0) } }
            try builder.flush()
        } catch {}
        #expect(throws: PackingError.self) { try writer.finish() }
        let confirmed = writer.takeConfirmed()
        #expect(confirmed.count == 1 && writer.packCount == 1)
        #expect(try storage.stat(.pack(confirmed[0].id))?.byteCount == confirmed[0].directory.packByteCount)
        #expect(writer.storedByteCount == confirmed[0].directory.packByteCount)
        #expect(writer.takeConfirmed().isEmpty)
    }

    @Test func `a chunk is read from a second pack when the first is damaged or gone`() throws {
        let storage = MemoryStorage(objects: [:])
        let fixture = PackingFixture(storage)
        let chunk = PackingFixture.chunks(1, seed: 6)[0]
        let packs = try fixture.store([chunk]) + fixture.store([chunk, [1]])
        let id = fixture.id(chunk)
        storage.damage(.pack(packs[0].id), at: 100)
        #expect(try fixture.read(id, with: fixture.reader(fixture.index(packs))) == chunk)
        try storage.delete(.pack(packs[0].id))
        #expect(try fixture.read(id, with: fixture.reader(fixture.index(packs))) == chunk)
        storage.damage(.pack(packs[1].id), at: 100)
        let reader = fixture.reader(fixture.index(packs))
        #expect { try fixture.read(id, with: reader) } throws: { if case PackingError.damaged = $0 { true } else { false } }
        // A failure is not kept: once the bytes are back they are read.
        storage.damage(.pack(packs[1].id), at: 100)
        #expect(try fixture.read(id, with: reader) == chunk)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct SegmentCacheTests {
    @Test func `a segment is fetched once, however many ask for it at the same time`() throws {
        let fixture = PackingFixture(SlowStorage(MemoryStorage(objects: [:])))
        let chunks = PackingFixture.chunks(8, seed: 7, byteCounts: 5000...9000)
        let reader = fixture.reader(fixture.index(try fixture.store(chunks)))
        let wrong = Monitor(0)
        onThreads(8, "reader") { number in
            let bytes = try? fixture.read(fixture.id(chunks[number]), with: reader)
            if bytes != chunks[number] { wrong.withLock { $0 += 1 } }
        }
        #expect(wrong.withLock { $0 } == 0)
        #expect(reader.fetched.count == 1)
    }

    @Test func `a failed fetch lets those who waited try for themselves`() throws {
        let storage = FaultInjectingStorage(SlowStorage(MemoryStorage(objects: [:])))
        let fixture = PackingFixture(storage)
        let chunk = PackingFixture.chunks(1, seed: 8)[0]
        let reader = fixture.reader(fixture.index(try fixture.store([chunk])))
        storage.reset()
        storage.inject(.fails(.unavailable(object: "packs", reason: "a test")), at: 0)
        let outcomes = Monitor((read: 0, failed: 0))
        onThreads(4, "reader") { _ in
            let isRead = (try? fixture.read(fixture.id(chunk), with: reader)) == chunk
            outcomes.withLock { if isRead { $0.read += 1 } else { $0.failed += 1 } }
        }
        #expect(outcomes.withLock { $0.read } == 3 && outcomes.withLock { $0.failed } == 1)
    }

    @Test func `the cache keeps no more than its size, and drops what was not used for longest`() throws {
        let fixture = PackingFixture()
        // One segment each, which nothing else fits beside; its memory is a whole MiB.
        let chunks = PackingFixture.chunks(6, seed: 9, byteCounts: 1_000_000...1_000_000)
        let reader = fixture.reader(fixture.index(try fixture.store(chunks)), cacheByteCount: 3 << 20)
        func fetches(_ numbers: [Int]) throws -> Int {
            let before = reader.fetched.count
            for number in numbers { #expect(try fixture.read(fixture.id(chunks[number]), with: reader) == chunks[number]) }
            return reader.fetched.count - before
        }
        #expect(try fetches([0, 1, 2]) == 3)
        #expect(try fetches([0, 1, 2, 2, 1, 0]) == 0)
        // 2 is now the one that was not used for longest.
        #expect(try fetches([3]) == 1)
        #expect(try fetches([0, 1, 3]) == 0)
        #expect(try fetches([2]) == 1)
        #expect(try fetches([0]) == 1)
    }

    @Test func `a segment larger than the cache is read all the same`() throws {
        let fixture = PackingFixture()
        let chunks = PackingFixture.chunks(3, seed: 10, byteCounts: 900_000...1_000_000)
        let reader = fixture.reader(fixture.index(try fixture.store(chunks)), cacheByteCount: 1)
        for _ in 0..<2 { for chunk in chunks { #expect(try fixture.read(fixture.id(chunk), with: reader) == chunk) } }
        #expect(reader.fetched.count == 6)
    }
}
