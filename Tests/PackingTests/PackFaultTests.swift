import Bytes
import Packing
import RepositoryFormat
import Storage
import TestSupport
import Testing
import Threading

/// The limit is for a writer that leaves somebody waiting for ever.
@Suite(.timeLimit(.minutes(10)))
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
        // Two threads store: of the other one, a put may be on its way.
        #expect((position + 1...position + 2).contains(storage.mutatingOperationCount), "after the failure nothing more is stored")
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
        // The other thread may have stored one more before it heard of the failure.
        #expect((1...2).contains(confirmed.count) && writer.packCount == confirmed.count)
        for pack in confirmed { #expect(try storage.stat(.pack(pack.id))?.byteCount == pack.directory.packByteCount) }
        #expect(writer.storedByteCount == confirmed.reduce(0) { $0 + $1.directory.packByteCount })
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

@Suite(.timeLimit(.minutes(10)))
struct SegmentCacheTests {
    @Test(arguments: [false, true]) func `many chunks are read segment by segment, each fetched once without any cache`(backwards: Bool) throws {
        let fixture = PackingFixture()
        let chunks = PackingFixture.chunks(120, seed: 20, byteCounts: 1...90_000)
        let packs = try fixture.store(chunks, closeByteCount: 1 << 20)
        let segmentCount = packs.reduce(0) { $0 + $1.directory.segments.count }
        #expect(segmentCount > 4)
        let reader = fixture.reader(fixture.index(packs), cacheByteCount: 0)
        var generator = SeededGenerator(seed: 21)
        let wanted = (chunks + chunks.prefix(30)).shuffled(using: &generator)
        #expect(try fixture.read(wanted.map { fixture.id($0) }, with: reader, backwards: backwards) == wanted)
        #expect(reader.fetched.count == segmentCount)
    }

    @Test func `of many chunks, those in a damaged pack are read from a second one, and what is nowhere whole is an error`() throws {
        let storage = MemoryStorage(objects: [:])
        let fixture = PackingFixture(storage)
        let chunks = PackingFixture.chunks(40, seed: 22, byteCounts: 1...90_000)
        let first = try fixture.store(chunks)
        let second = try fixture.store(Array(chunks[10...]))
        let reader = fixture.reader(fixture.index(first + second), cacheByteCount: 0)
        for segment in first[0].directory.segments { storage.damage(.pack(first[0].id), at: Int(segment.offset) + 100) }
        #expect(try fixture.read(chunks[10...].map { fixture.id($0) }, with: reader) == Array(chunks[10...]))
        #expect(throws: PackingError.self) { try fixture.read(chunks.map { fixture.id($0) }, with: reader) }
        #expect { try fixture.read([fixture.id([5])], with: reader) } throws: { if case PackingError.missing(fixture.id([5])) = $0 { true } else { false } }
    }

    @Test func `of many chunks, one that is not what its id names is an error`() throws {
        let fixture = PackingFixture()
        let chunks = PackingFixture.chunks(20, seed: 23, byteCounts: 1...30_000)
        let writer = fixture.writer()
        let builder = fixture.builder(writer)
        for (number, chunk) in chunks.enumerated() {
            unsafe try chunk.withUnsafeBytes { unsafe try builder.append(number == 13 ? fixture.id([1]) : fixture.id(chunk), $0, band: 0) }
        }
        try builder.flush()
        try writer.finish()
        let reader = fixture.reader(fixture.index(writer.takeConfirmed()))
        let ids = chunks.map { fixture.id($0) }
        #expect(try fixture.read(ids.enumerated().filter { $0.offset != 13 }.map(\.element), with: reader).count == 19)
        #expect(throws: PackingError.self) { try fixture.read(Array(ids[..<13]) + [fixture.id([1])] + Array(ids[14...]), with: reader) }
    }

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
        // One segment each, which nothing else fits beside; its memory has room for what a full one is stored as.
        let chunks = PackingFixture.chunks(6, seed: 9, byteCounts: 1_000_000...1_000_000)
        let reader = fixture.reader(fixture.index(try fixture.store(chunks)), cacheByteCount: 3 * ((1 << 20) + (32 << 10)))
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
