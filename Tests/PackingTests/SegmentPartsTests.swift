import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage
import TestSupport
import Testing

/// Few chunks of a segment, read without the rest of it.
@Suite(.enabled(if: AuthenticatedCipher.opensParts)) struct SegmentPartsTests {
    /// Noise, of which a segment holds about thirty.
    private static func noise(_ count: Int, seed: UInt64) -> [[UInt8]] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in generator.bytes(Int.random(in: 20_000...50_000, using: &generator)) }
    }

    private static func read(_ chunks: [ChunkID], _ reader: SegmentReader, isSparse: Bool) throws -> [Int: [UInt8]] {
        var found: [Int: [UInt8]] = [:]
        unsafe try reader.withChunks(chunks, .data, backwards: false, isSparse: isSparse) { number, bytes in found[number] = unsafe Array(bytes) }
        return found
    }

    @Test func `few chunks of raw segments are read alone`() throws {
        let fixture = PackingFixture()
        let chunks = SegmentPartsTests.noise(200, seed: 3)
        let index = fixture.index(try fixture.store(chunks, level: nil))
        let wanted = chunks.indices.filter { $0 % 13 == 5 }
        let ids = wanted.map { fixture.id(chunks[$0]) }
        let sparse = fixture.reader(index)
        let whole = fixture.reader(index)
        let found = try SegmentPartsTests.read(ids, sparse, isSparse: true)
        #expect(found == Dictionary(uniqueKeysWithValues: wanted.enumerated().map { ($0, chunks[$1]) }))
        #expect(try SegmentPartsTests.read(ids, whole, isSparse: false) == found)
        let wantedByteCount = wanted.reduce(0) { $0 + chunks[$1].count }
        #expect(sparse.fetched.byteCount < UInt64(wantedByteCount) * 3 / 2)
        #expect(whole.fetched.byteCount > UInt64(wantedByteCount) * 5)
    }

    @Test func `when most of a segment is wanted it is read whole`() throws {
        let fixture = PackingFixture()
        let chunks = SegmentPartsTests.noise(60, seed: 4)
        let index = fixture.index(try fixture.store(chunks, level: nil))
        let reader = fixture.reader(index)
        let ids = chunks.indices.filter { $0 % 8 != 0 }.map { fixture.id(chunks[$0]) }
        #expect(try SegmentPartsTests.read(ids, reader, isSparse: true).count == ids.count)
        #expect(reader.fetched.count < 6)
    }

    @Test func `compressed segments are read whole`() throws {
        let fixture = PackingFixture()
        let chunks = (0..<60).map { number in (0..<30_000).map { UInt8(truncatingIfNeeded: $0 / 50 &+ number) } }
        let index = fixture.index(try fixture.store(chunks, level: 3))
        let reader = fixture.reader(index)
        let ids = [3, 30, 50].map { fixture.id(chunks[$0]) }
        #expect(try SegmentPartsTests.read(ids, reader, isSparse: true) == [0: chunks[3], 1: chunks[30], 2: chunks[50]])
        #expect(reader.fetched.count <= 2)
    }

    @Test func `a damaged chunk is not given away, but taken from another pack`() throws {
        let storage = MemoryStorage(objects: [:])
        let fixture = PackingFixture(storage)
        let chunks = SegmentPartsTests.noise(60, seed: 5)
        let packs = try fixture.store(chunks, level: nil)
        let index = fixture.index(packs)
        let id = fixture.id(chunks[12])
        let location = try #require(index.locations(id).first)
        let pack = index.pack(location.pack)
        storage.damage(pack.name, at: Int(pack.segments[Int(location.segment)].offset) + 32 + Int(location.offset) + 100)
        #expect { try SegmentPartsTests.read([id], fixture.reader(index), isSparse: true) } throws: { if case PackingError.damaged = $0 { true } else { false } }
        // Its neighbours are not damaged, and found without the tag of the whole.
        let neighbours = [2, 20].map { fixture.id(chunks[$0]) }
        #expect(try SegmentPartsTests.read(neighbours, fixture.reader(index), isSparse: true) == [0: chunks[2], 1: chunks[20]])
        for other in try fixture.store([chunks[12]], level: nil) { index.add(other, isCounting: true) }
        #expect(try SegmentPartsTests.read([id] + neighbours, fixture.reader(index), isSparse: true) == [0: chunks[12], 1: chunks[2], 2: chunks[20]])
    }

    @Test func `a damaged salt is found, as when the segment is read whole`() throws {
        let storage = MemoryStorage(objects: [:])
        let fixture = PackingFixture(storage)
        let chunks = SegmentPartsTests.noise(60, seed: 6)
        let index = fixture.index(try fixture.store(chunks, level: nil))
        let id = fixture.id(chunks[12])
        let location = try #require(index.locations(id).first)
        let pack = index.pack(location.pack)
        storage.damage(pack.name, at: Int(pack.segments[Int(location.segment)].offset) + 3)
        #expect { try SegmentPartsTests.read([id], fixture.reader(index), isSparse: true) } throws: { if case PackingError.damaged = $0 { true } else { false } }
    }

    @Test func `where the key of a pack cannot be opened, another pack is asked`() throws {
        let fixture = PackingFixture()
        let chunks = SegmentPartsTests.noise(60, seed: 8)
        // Sealed by a session for somebody else, whose data key this reader does not have.
        let writer = PackWriter(.data, sealer: fixture.sealer, key: SessionDataKey(recipient: DataKeyPair.random().publicKey).record, storage: fixture.storage)
        let builder = fixture.builder(writer, level: nil)
        for chunk in chunks { unsafe try chunk.withUnsafeBytes { unsafe try builder.append(fixture.id(chunk), $0, band: 0) } }
        try builder.flush()
        try writer.finish()
        let index = fixture.index(writer.takeConfirmed())
        let id = fixture.id(chunks[12])
        #expect { try SegmentPartsTests.read([id], fixture.reader(index), isSparse: true) } throws: { if case PackingError.damaged = $0 { true } else { false } }
        for other in try fixture.store([chunks[12]], level: nil) { index.add(other, isCounting: true) }
        #expect(try SegmentPartsTests.read([id], fixture.reader(index), isSparse: true) == [0: chunks[12]])
    }

    @Test func `who has no data key is told so`() throws {
        let fixture = PackingFixture()
        let chunks = SegmentPartsTests.noise(60, seed: 7)
        let index = fixture.index(try fixture.store(chunks, level: nil))
        let reader = SegmentReader(index: index, storage: fixture.storage, sealer: fixture.sealer, dataKeys: nil)
        #expect { try SegmentPartsTests.read([fixture.id(chunks[3])], reader, isSparse: true) } throws: { if case PackingError.noDataKey = $0 { true } else { false } }
    }
}
