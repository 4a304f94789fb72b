import Packing
import RepositoryFormat
import Storage
import TestSupport
import Testing
import Threading

/// Several builders that seal into the packs of one writer.
@Suite(.timeLimit(.minutes(5))) struct PackWriterThreadTests {
    /// Each chunk in a segment of its own, on eight threads. Returns how many were refused.
    private static func store(_ chunks: [[UInt8]], _ fixture: PackingFixture, _ writer: PackWriter) -> Int {
        let failures = Monitor(0)
        onThreads(8, "builder") { thread in
            let builder = fixture.builder(writer, level: nil)
            for (number, chunk) in chunks.enumerated() where number % 8 == thread {
                do {
                    unsafe try chunk.withUnsafeBytes { unsafe try builder.append(fixture.id(chunk), $0, band: 0) }
                    try builder.flush()
                } catch { failures.withLock { $0 += 1 } }
            }
        }
        return failures.withLock { $0 }
    }

    @Test func `many threads fill small packs without waiting for each other for ever`() throws {
        let fixture = PackingFixture()
        let writer = fixture.writer(closeByteCount: 100_000)
        let chunks = PackingFixture.chunks(400, seed: 22, byteCounts: 1...30_000)
        #expect(Self.store(chunks, fixture, writer) == 0)
        try writer.finish()
        let packs = writer.takeConfirmed()
        #expect(packs.count > 50)
        let reader = fixture.reader(fixture.index(packs))
        for chunk in chunks { #expect(try fixture.read(fixture.id(chunk), with: reader) == chunk) }
        for pack in packs {
            let info = ObjectInfo(name: .pack(pack.id), byteCount: pack.directory.packByteCount)
            let file = PackFile(storage: fixture.storage, sealer: fixture.sealer, verifier: fixture.verifier)
            #expect(try PackingFixture.segments(file, info, pack.id, .data, verifiesName: true).count == pack.directory.segments.count)
        }
    }

    @Test(arguments: [0, 1, 5]) func `when a pack cannot be stored, all are told, and none waits`(position: Int) throws {
        let storage = FaultInjectingStorage(SlowStorage(MemoryStorage(objects: [:])))
        let fixture = PackingFixture(storage)
        let writer = fixture.writer(closeByteCount: 100_000)
        storage.inject(.fails(.full(object: "packs")), at: position, counting: .mutating)
        let refusedCount = Self.store(PackingFixture.chunks(400, seed: 23, byteCounts: 1...30_000), fixture, writer)
        #expect(refusedCount > 0)
        #expect { try writer.finish() } throws: { if case PackingError.storage(.full) = $0 { true } else { false } }
    }
}
