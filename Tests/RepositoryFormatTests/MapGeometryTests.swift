import Bytes
import RepositoryFormat
import TestSupport
import Testing

struct MapGeometryTests {
    private static let band = UInt64(FormatLimits.bandByteCount)

    @Test(arguments: [
        (0, 0, 0), (1, 1, 0), (band - 1, 1, 0), (band, 1, 0), (band + 1, 2, 1), (255 * band, 255, 1), (256 * band - 1, 256, 1), (256 * band, 256, 1),
        (256 * band + 1, 257, 2), (257 * band, 257, 2), (65_536 * band, 65_536, 2), (65_536 * band + 1, 65_537, 3), (1 << 50, 1 << 26, 4), (1 << 48, 1 << 24, 3),
        (1 << 48 + 1, 1 << 24 + 1, 4), (1 << 56, 1 << 32, 4),
    ] as [(UInt64, UInt64, Int)]) func `bands and depth follow from the size`(byteCount: UInt64, bandCount: UInt64, depth: Int) {
        let geometry = MapGeometry(byteCount: byteCount)
        #expect(geometry.bandCount == bandCount)
        #expect(geometry.depth == depth)
        #expect(geometry.depth <= FormatLimits.mapDepthMax)
    }

    @Test func `only the last band may be short`() {
        let geometry = MapGeometry(byteCount: 3 * Self.band + 5)
        #expect((0..<4).map { geometry.bandByteCount($0) } == [Int(Self.band), Int(Self.band), Int(Self.band), 5])
        #expect(MapGeometry(byteCount: 1).bandByteCount(0) == 1)
        #expect(MapGeometry(byteCount: 1 << 56).bandByteCount(1 << 32 - 1) == Int(Self.band))
    }

    @Test func `a node has a slot for each group that begins within the volume`() {
        let geometry = MapGeometry(byteCount: 257 * Self.band)
        #expect(geometry.slotCount(level: 2, firstBand: 0) == 2)
        #expect(geometry.slotCount(level: 1, firstBand: 0) == 256)
        #expect(geometry.slotCount(level: 1, firstBand: 256) == 1)
        let most = MapGeometry(byteCount: 1 << 56)
        #expect(most.slotCount(level: 4, firstBand: 0) == 256)
        #expect(most.slotCount(level: 1, firstBand: 1 << 32 - 256) == 256)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func `the slots of a level cover all bands exactly`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let geometry = MapGeometry(byteCount: UInt64.random(in: 1...(3 * 65_536 * Self.band), using: &generator))
        guard geometry.depth > 0 else { return }
        for level in 1...geometry.depth {
            let perNode = MapGeometry.bandsBelow(level: level)
            let slots = stride(from: 0, to: geometry.bandCount, by: Int(perNode)).reduce(0) { $0 + geometry.slotCount(level: level, firstBand: $1) }
            let perSlot = MapGeometry.bandsBelow(level: level - 1)
            #expect(UInt64(slots) == (geometry.bandCount + perSlot - 1) / perSlot, "seed \(seed)")
        }
    }
}

struct BandMapTests {
    @Test func `entries sum to the band, and none is empty`() {
        var samples = Samples(seed: 8)
        let map = samples.bandMap(chunkOffsets: true)
        for wrong in [map.byteCount - 1, map.byteCount + 1, 0, FormatLimits.bandByteCount] {
            #expect(throws: FormatError.self) { try BandMap(decoding: map.encoded, bandByteCount: wrong) }
        }
        #expect(throws: FormatError.self) { try BandMap(decoding: [1, 0, 0, 0, 0, 0, 0, 0], bandByteCount: 1) }
        #expect(throws: FormatError.self) { try BandMap(decoding: [1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0], bandByteCount: 0) }
    }

    @Test(arguments: [MapKind.map, .node]) func `no entry of a band map is a tree`(kind: MapKind) {
        let map = BandMap(entries: [MapEntry(kind: kind, byteCount: 9)])
        #expect(throws: FormatError.layout(.invalid(field: "entry kind"))) { try BandMap(decoding: map.encoded, bandByteCount: 9) }
    }

    @Test func `an entry lies within the largest chunk there may be`() {
        let most = FormatLimits.chunkByteCountMax
        func isTaken(_ byteCount: Int, at offset: Int) -> Bool {
            let entry = MapEntry(kind: .data, byteCount: UInt32(byteCount), chunk: MapEntry.noChunk, fingerprint: Fingerprint(low: 1, high: 2), chunkOffset: UInt32(offset))
            return (try? BandMap(decoding: BandMap(entries: [entry]).encoded, bandByteCount: byteCount)) != nil
        }
        #expect(isTaken(most, at: 0))
        #expect(!isTaken(most + 1, at: 0))
        #expect(isTaken(most - 1, at: 1))
        #expect(!isTaken(most, at: 1))
    }

    @Test func `32 768 entries are taken, one more is not`() {
        for (count, isTaken) in [(32_768, true), (32_769, false)] {
            let map = BandMap(entries: [MapEntry](repeating: MapEntry(kind: .zero, byteCount: 512), count: count))
            #expect(((try? BandMap(decoding: map.encoded, bandByteCount: map.byteCount)) != nil) == isTaken)
        }
    }
}

struct MapNodeTests {
    @Test func `a node of another level or with other slots is refused`() {
        var samples = Samples(seed: 9)
        let node = samples.node(level: 2)
        for (level, slotCount) in [(1, 6), (3, 6), (2, 5), (2, 7)] {
            #expect(throws: FormatError.self) { try MapNode(decoding: node.encoded, level: level, slotCount: slotCount) }
        }
    }

    @Test func `a slot names only what may stand below it`() {
        for (level, kind) in [(1, MapKind.node), (2, .map), (1, .data), (2, .data)] {
            let node = MapNode(level: level, slots: [MapSlot(kind: kind, id: MapEntry.noChunk)])
            #expect(throws: FormatError.layout(.invalid(field: "slot kind"))) { try MapNode(decoding: node.encoded, level: level, slotCount: 1) }
        }
    }
}
