import Bytes
import Glibc
import Packing
import RepositoryFormat
import TestSupport
import Testing

struct LocalIndexTests {
    /// A document of `packCount` packs with `chunkCount` chunks each, all random.
    private func document(
        _ generator: inout SeededGenerator, packCount: Int, chunkCount: Int, digest: (inout SeededGenerator) -> Digest = { Digest($0.bytes(32)) }
    ) -> (id: IndexID, document: IndexDocument) {
        let packs = (0..<packCount).map { _ in
            let chunks = (0..<chunkCount).map { _ in
                PackDirectory.Chunk(id: ChunkID(digest(&generator)), byteCount: UInt32.random(in: 1...1000, using: &generator))
            }
            let decoded = chunks.reduce(0) { $0 + $1.byteCount }
            let segment = PackDirectory.Segment(
                offset: 48, sealedByteCount: decoded + 48, encodedByteCount: decoded, decodedByteCount: decoded, codec: .raw, keyIndex: 255,
                digest: RandomID(generator.bytes(16)), chunks: chunks)
            let directory = PackDirectory(kind: .map, epoch: 1, packByteCount: 1 << 20, keys: [], segments: [segment])
            return IndexDocument.Pack(id: PackID(Digest(generator.bytes(32))), directory: directory)
        }
        return (IndexID(Digest(generator.bytes(32))), IndexDocument(packs: packs))
    }

    private func chunks(_ document: IndexDocument) -> [ChunkID] { document.packs.flatMap { $0.directory.segments.flatMap { $0.chunks.map(\.id) } } }

    @Test func `an index from runs answers as one in memory does, through many merges`() throws {
        var generator = SeededGenerator(seed: 11)
        let folder = TemporaryFolder()
        let local = LocalIndex(folder: "\(folder.path)/a/index")
        var documents: [(id: IndexID, document: IndexDocument)] = []
        for round in 0..<12 {
            let added = document(&generator, packCount: 3, chunkCount: 400 + 100 * (round % 3))
            documents.append(added)
            let runs = local.load(listed: Set(documents.map(\.id)))
            let covered = runs.reduce(into: Set<IndexID>()) { $0.formUnion($1.covered) }
            #expect(covered.count == documents.count - 1)
            try local.store(documents.filter { !covered.contains($0.id) }, beside: runs)
            let stored = local.load(listed: Set(documents.map(\.id)))
            #expect(stored.count <= 4)
            #expect(stored.reduce(0) { $0 + $1.entryCount } == documents.reduce(0) { $0 + chunks($1.document).count })
        }
        let index = ChunkIndex(runs: local.load(listed: Set(documents.map(\.id))))
        index.setCounting { _ in true }
        let memory = ChunkIndex()
        for pack in documents.flatMap(\.document.packs) { memory.add(pack, isCounting: true) }
        #expect(index.chunkCount == memory.chunkCount)
        for id in documents.flatMap({ chunks($0.document) }) {
            let (found, expected) = (try #require(index.countingLocation(id)), try #require(memory.countingLocation(id)))
            #expect(index.pack(found.pack).id == memory.pack(expected.pack).id)
            #expect(index.pack(found.pack).segments == memory.pack(expected.pack).segments)
            #expect((found.segment, found.offset, found.byteCount) == (expected.segment, expected.offset, expected.byteCount))
        }
        for _ in 0..<2000 { #expect(index.countingLocation(ChunkID(Digest(generator.bytes(32)))) == nil) }
    }

    /// Ids are even in a repository; a run must find them however they lie.
    @Test func `ids that lie close together, at the ends, or have the same first word are found`() throws {
        var generator = SeededGenerator(seed: 17)
        let folder = TemporaryFolder()
        let local = LocalIndex(folder: folder.path)
        let firsts: [UInt64] = [0, 1, 2, 1 << 32, 1 << 63, UInt64.max - 1, .max, 0x1234_5678_9ABC_DEF0]
        let document = document(&generator, packCount: 4, chunkCount: 700) { generator in
            let rest = Digest(generator.bytes(32)).words
            return Digest(words: (firsts[Int(rest.0 % 8)] &+ rest.0 / 8 % 3, rest.1, rest.2, rest.3))
        }
        try local.store([document], beside: [])
        let runs = local.load(listed: [document.id])
        #expect(runs.count == 1)
        let index = ChunkIndex(runs: runs)
        index.setCounting { _ in true }
        for id in chunks(document.document) { #expect(index.countingLocation(id) != nil) }
        for first in firsts { #expect(index.countingLocation(ChunkID(Digest(words: (first, 1, 2, 3)))) == nil) }
    }

    @Test func `packs that do not count are not counted, and new ones follow those of runs`() throws {
        var generator = SeededGenerator(seed: 12)
        let folder = TemporaryFolder()
        let local = LocalIndex(folder: folder.path)
        let (old, new) = (document(&generator, packCount: 4, chunkCount: 500), document(&generator, packCount: 1, chunkCount: 10))
        try local.store([old], beside: [])
        let index = ChunkIndex(runs: local.load(listed: [old.id]))
        let bad = old.document.packs[2].id
        index.setCounting { $0.id != bad }
        index.add(new.document.packs[0], isCounting: true)
        for pack in old.document.packs {
            for chunk in pack.directory.segments[0].chunks {
                #expect((index.countingLocation(chunk.id) == nil) == (pack.id == bad))
                #expect(index.locations(chunk.id).count == 1)
            }
        }
        #expect(index.pack(try #require(index.ordinal(new.document.packs[0].id))).id == new.document.packs[0].id)
        index.discount([old.document.packs[0].id])
        #expect(index.countingLocation(old.document.packs[0].directory.segments[0].chunks[0].id) == nil)
        #expect(index.packs.map(\.id) == (old.document.packs + new.document.packs).map(\.id))
    }

    @Test func `a run whose index objects are no longer listed is not used`() throws {
        var generator = SeededGenerator(seed: 13)
        let folder = TemporaryFolder()
        let local = LocalIndex(folder: folder.path)
        let added = document(&generator, packCount: 3, chunkCount: 500)
        try local.store([added], beside: [])
        #expect(local.load(listed: []).isEmpty)
        #expect(local.load(listed: [added.id]).count == 1)
    }

    @Test func `a run with any byte changed, or cut short, is not used`() throws {
        var generator = SeededGenerator(seed: 14)
        let folder = TemporaryFolder()
        let local = LocalIndex(folder: folder.path)
        let added = document(&generator, packCount: 2, chunkCount: 600)
        try local.store([added], beside: [])
        let path = try #require(local.load(listed: [added.id]).first).path
        let descriptor = unsafe open(path, O_RDWR)
        defer { close(descriptor) }
        let byteCount = lseek(descriptor, 0, SEEK_END)
        for _ in 0..<200 {
            let place = Int.random(in: 0..<byteCount, using: &generator)
            var byte: UInt8 = 0
            unsafe pread(descriptor, &byte, 1, place)
            byte ^= 0x40
            unsafe pwrite(descriptor, &byte, 1, place)
            #expect(local.load(listed: [added.id]).isEmpty, "byte \(place)")
            byte ^= 0x40
            unsafe pwrite(descriptor, &byte, 1, place)
        }
        #expect(local.load(listed: [added.id]).count == 1)
        for length in [0, 63, 64, byteCount / 2, byteCount - 1] {
            #expect(ftruncate(descriptor, length) == 0)
            #expect(local.load(listed: [added.id]).isEmpty)
        }
    }

    @Test func `a folder that cannot be made is an error and nothing else`() throws {
        var generator = SeededGenerator(seed: 15)
        let local = LocalIndex(folder: "/proc/none/index")
        #expect(throws: LocalIndexError.self) { try local.store([document(&generator, packCount: 3, chunkCount: 500)], beside: []) }
        #expect(local.load(listed: []).isEmpty)
    }
}
