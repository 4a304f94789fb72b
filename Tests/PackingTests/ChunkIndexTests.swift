import Bytes
import Packing
import RepositoryFormat
import TestSupport
import Testing
import Threading

struct ChunkIndexTests {
    /// The answers of a dictionary to the same questions.
    private struct Oracle {
        struct Place: Equatable {
            var pack: UInt32
            var segment: UInt32
            var offset: UInt32
            var byteCount: UInt32
        }

        var locations: [ChunkID: [Place]] = [:]
        var packs: [(id: PackID, isCounting: Bool)] = []

        mutating func add(_ pack: IndexDocument.Pack, isCounting: Bool) {
            guard !packs.contains(where: { $0.id == pack.id }) else { return }
            for (segment, record) in pack.directory.segments.enumerated() {
                var offset: UInt32 = 0
                for chunk in record.chunks {
                    let location = Place(pack: UInt32(packs.count), segment: UInt32(segment), offset: offset, byteCount: chunk.byteCount)
                    locations[chunk.id, default: []].append(location)
                    offset += chunk.byteCount
                }
            }
            packs.append((pack.id, isCounting))
        }

        func isCounting(_ location: Place) -> Bool { packs[Int(location.pack)].isCounting }

        /// Counting packs first, then by ordinal.
        func packOrder(_ id: ChunkID) -> [UInt32] {
            let all = locations[id] ?? []
            return all.filter(isCounting).map(\.pack).sorted() + all.filter { !isCounting($0) }.map(\.pack).sorted()
        }
    }

    private static func place(_ location: ChunkLocation) -> Oracle.Place {
        .init(pack: location.pack, segment: location.segment, offset: location.offset, byteCount: location.byteCount)
    }

    private static func pack(_ ids: [ChunkID], _ generator: inout SeededGenerator) -> IndexDocument.Pack {
        var segments: [PackDirectory.Segment] = []
        for start in stride(from: 0, to: ids.count, by: 7) {
            let chunks = ids[start..<min(start + 7, ids.count)].map {
                PackDirectory.Chunk(id: $0, byteCount: UInt32.random(in: 1...5000, using: &generator))
            }
            segments.append(
                .init(
                    offset: 48, sealedByteCount: 1, encodedByteCount: 1, decodedByteCount: 1, codec: .raw, keyIndex: 0, digest: RandomID(generator.bytes(16)), chunks: chunks))
        }
        let directory = PackDirectory(kind: .data, epoch: 1, packByteCount: 1, keys: [], segments: segments)
        return .init(id: PackID(Digest(generator.bytes(32))), directory: directory)
    }

    @Test(arguments: [UInt64(1), 2, 3, 4]) func `the index answers as a dictionary does, through growth, duplicates and discounts`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let index = ChunkIndex()
        var oracle = Oracle()
        // Many ids share their low bits, so that places in the table are contested.
        let ids = (0..<4000).map { number in
            var bytes = generator.bytes(32)
            if number % 3 == 0 { (bytes[0], bytes[1]) = (UInt8(number % 2), 0) }
            return ChunkID(Digest(bytes))
        }
        var added: [IndexDocument.Pack] = []
        for step in 0..<60 {
            let pack = Self.pack((0..<Int.random(in: 1...200, using: &generator)).map { _ in ids[Int.random(in: 0..<3000, using: &generator)] }, &generator)
            let isCounting = Bool.random(using: &generator)
            // Some are added again, as several index objects name them.
            for one in [pack] + (step % 5 == 0 ? added.prefix(3) : []) {
                index.add(one, isCounting: isCounting)
                oracle.add(one, isCounting: isCounting)
            }
            added.append(pack)
            if step % 10 == 9 {
                let condemned = Set(oracle.packs.map(\.id).shuffled(using: &generator).prefix(2))
                index.discount(condemned)
                for number in oracle.packs.indices where condemned.contains(oracle.packs[number].id) { oracle.packs[number].isCounting = false }
            }
        }
        #expect(index.chunkCount == oracle.locations.values.reduce(0) { $0 + $1.count })
        #expect(index.packs.map(\.id) == oracle.packs.map(\.id))
        #expect(index.packs.map(\.isCounting) == oracle.packs.map(\.isCounting))
        for id in ids {
            let found = index.locations(id).map(Self.place)
            let expected = oracle.locations[id] ?? []
            #expect(found.map(\.pack) == oracle.packOrder(id), "seed \(seed)")
            #expect(index.location(id) == index.locations(id).first, "seed \(seed)")
            #expect(found.count == expected.count && found.allSatisfy(expected.contains), "seed \(seed)")
            let counting = index.countingLocation(id).map(Self.place)
            #expect((counting != nil) == expected.contains(where: oracle.isCounting), "seed \(seed)")
            if let counting { #expect(oracle.isCounting(counting) && expected.contains(counting), "seed \(seed)") }
        }
        var seen = 0
        index.forEachEntry { _ in seen += 1 }
        #expect(seen == index.chunkCount)
    }

    @Test func `an empty index knows nothing`() {
        let index = ChunkIndex()
        let id = ChunkID(Digest([UInt8](repeating: 0, count: 32)))
        #expect(index.locations(id) == [])
        #expect(index.location(id) == nil)
        #expect(index.countingLocation(id) == nil)
        #expect(index.chunkCount == 0)
    }

    @Test func `a condemned pack is still read from, and only when no other has the chunk`() {
        var generator = SeededGenerator(seed: 5)
        let id = ChunkID(Digest(generator.bytes(32)))
        let index = ChunkIndex()
        let (first, second) = (Self.pack([id], &generator), Self.pack([id], &generator))
        index.add(first, isCounting: true)
        index.add(second, isCounting: true)
        #expect(index.locations(id).map(\.pack) == [0, 1])
        index.discount([first.id])
        #expect(index.locations(id).map(\.pack) == [1, 0])
        #expect(index.location(id)?.pack == 1)
        #expect(index.countingLocation(id)?.pack == 1)
        index.discount([second.id])
        #expect(index.countingLocation(id) == nil)
        #expect(index.locations(id).count == 2)
    }
}

struct ChunkClaimsTests {
    @Test func `of many threads that meet a chunk exactly one stores it`() {
        let claims = ChunkClaims(index: ChunkIndex())
        let ids = (0..<200).map { ChunkID(Digest([UInt8](repeating: UInt8($0), count: 32))) }
        let won = Monitor(0)
        onThreads(4, "claimant") { _ in
            for id in ids where claims.claim(id, byteCount: 9) { won.withLock { $0 += 1 } }
        }
        #expect(won.withLock { $0 } == 200)
        #expect(ids.allSatisfy { claims.byteCount($0) == 9 })
    }

    @Test func `what counts already is not claimed, what no longer counts is`() throws {
        let fixture = PackingFixture()
        let chunk = [UInt8](repeating: 1, count: 77)
        let packs = try fixture.store([chunk])
        let index = fixture.index(packs)
        let claims = ChunkClaims(index: index)
        #expect(!claims.claim(fixture.id(chunk), byteCount: 77))
        #expect(claims.byteCount(fixture.id(chunk)) == 77)
        index.discount(Set(packs.map(\.id)))
        #expect(claims.byteCount(fixture.id(chunk)) == nil)
        #expect(claims.claim(fixture.id(chunk), byteCount: 77))
    }
}
