import Bytes
import ImageFixtures
@testable import ImageRepository
import Packing
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Testing
import TestSupport

/// The tree against a plain array of slots.
struct MapTreeTests {
    private static let bandByteCount = UInt64(FormatLimits.bandByteCount)

    @Test(arguments: UInt64(0)..<12)
    func `a tree gives back the slots that went in`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let bandCount = [1, 2, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537 + Int.random(in: 0...70_000, using: &generator)][Int(seed)]
        let slots = randomSlots(bandCount, &generator)
        try compare(slots, lastBandByteCount: seed % 2 == 0 ? Self.bandByteCount : 1, "seed \(seed)", &generator)
    }

    @Test(arguments: [(255, 2), (256, 256), (257, 255), (1, 65_535), (65_536, 1), (200, 65_536), (65_280, 512)])
    func `uniform runs may cross the borders of subtrees`(before: Int, run: Int) throws {
        var generator = SeededGenerator(seed: UInt64(before))
        let slots = [MapSlot](repeating: .uniform(.zero), count: before) + [MapSlot](repeating: .uniform(.unused), count: run) + [.uniform(.zero)]
        try compare(slots, lastBandByteCount: 5, "\(before) + \(run)", &generator)
    }

    @Test func `a volume of one kind needs no node`() throws {
        for bandCount in [UInt64(1), 255, 256, 257, 65_536, 1 << 26, 1 << 32] {
            var builder = MapTreeBuilder()
            let root = try { () throws(RepositoryError) in
                try builder.append(.unused, count: bandCount, refuse)
                return try builder.finish(byteCount: bandCount * Self.bandByteCount, refuse)
            }()
            #expect(root == .uniform(.unused), "\(bandCount) bands")
        }
    }

    private func refuse(_ node: [UInt8]) throws(RepositoryError) -> ChunkID { throw .invalid("a node") }

    private func randomSlots(_ count: Int, _ generator: inout SeededGenerator) -> [MapSlot] {
        var slots: [MapSlot] = []
        while slots.count < count {
            if Bool.random(using: &generator) {
                for _ in 0..<min(count - slots.count, Int.random(in: 1...300, using: &generator)) {
                    slots.append(MapSlot(kind: .map, id: ChunkID(Digest(generator.bytes(32)))))
                }
            } else {
                let kind: MapKind = [.zero, .unused, .unreadable, .excluded].randomElement(using: &generator)!
                let longest = Bool.random(using: &generator) ? 40_000 : 400
                slots += [MapSlot](repeating: .uniform(kind), count: min(count - slots.count, Int.random(in: 1...longest, using: &generator)))
            }
        }
        return slots
    }

    private func compare(_ slots: [MapSlot], lastBandByteCount: UInt64, _ comment: Comment, _ generator: inout SeededGenerator) throws {
        let fixture = try RepositoryFixture()
        let chunks = HandmadeChunks(fixture.repository)
        var known: Set<ChunkID> = []
        func store(_ node: [UInt8]) throws(RepositoryError) -> ChunkID {
            let id = unsafe node.withUnsafeBytes { unsafe fixture.repository.sealer.member.chunkID(.map, $0) }
            guard known.insert(id).inserted else { return id }
            do { return try chunks.add(.map, node) } catch { throw .invalid("\(error)") }
        }
        var builder = MapTreeBuilder()
        var position = 0
        while position < slots.count {
            let slot = slots[position]
            var end = position + 1
            if slot.kind.isUniform {
                // Appended in several runs now and then, as a source reports its holes.
                let limit = Bool.random(using: &generator) ? slots.count : position + Int.random(in: 1...300, using: &generator)
                while end < slots.count, end < limit, slots[end] == slot { end += 1 }
                try builder.append(slot.kind, count: UInt64(end - position), store)
            } else {
                try builder.append(slot, store)
            }
            position = end
        }
        let byteCount = UInt64(slots.count - 1) * Self.bandByteCount + lastBandByteCount
        let root = try builder.finish(byteCount: byteCount, store)
        try chunks.finish()

        let geometry = MapGeometry(byteCount: byteCount)
        let reader = MapTreeReader(fixture.repository.segmentReader(try fixture.repository.loadIndex().index), root: root, geometry: geometry)
        var read: [MapSlot] = []
        try reader.forEachRun { run throws(RepositoryError) in
            #expect(run.firstBand == UInt64(read.count), comment)
            if run.slot.kind == .map { #expect(run.bandCount == 1, comment) }
            read += [MapSlot](repeating: run.slot, count: Int(run.bandCount))
        }
        #expect(read == slots, comment)
        for _ in 0..<50 {
            let band = UInt64.random(in: 0..<UInt64(slots.count), using: &generator)
            #expect(try reader.run(at: band).slot == slots[Int(band)], comment)
        }
    }
}
