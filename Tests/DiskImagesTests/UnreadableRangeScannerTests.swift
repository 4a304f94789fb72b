import DiskImages
import ImageFixtures
import Testing

struct UnreadableRangeScannerTests {
    private func scan(
        _ reader: some ImageReader, _ range: Range<UInt64>, sector: UInt32 = 512
    ) throws -> (bytes: [UInt8], outcome: UnreadableRangeScanner.Outcome) {
        var bytes = [UInt8](repeating: 0xee, count: range.count)
        var span = bytes.mutableSpan
        let outcome = try UnreadableRangeScanner(sectorByteCount: sector).read(from: reader, at: range.lowerBound, into: &span)
        return (bytes, outcome)
    }

    /// The bytes with unreadable ranges zeroed.
    private func expected(_ reader: SyntheticImageReader, _ range: Range<UInt64>, _ bad: [Range<UInt64>]) -> [UInt8] {
        var bytes = reader.bytes(in: range)
        for hole in bad {
            let part = hole.clamped(to: range)
            for offset in part { bytes[Int(offset - range.lowerBound)] = 0 }
        }
        return bytes
    }

    @Test func `a sound range is read at once`() throws {
        let reader = SyntheticImageReader(byteCount: 1 << 20, seed: 1)
        let (bytes, outcome) = try scan(reader, 1000..<500_000)
        #expect(bytes == reader.bytes(in: 1000..<500_000))
        #expect(outcome.isComplete)
        #expect(reader.counters.reads == 1)
    }

    @Test func `one bad byte costs one sector`() throws {
        let reader = SyntheticImageReader(byteCount: 1 << 20, seed: 2)
        reader.setUnreadable([100_000..<100_001])
        let (bytes, outcome) = try scan(reader, 0..<1 << 20)
        #expect(outcome.unreadable == [99_840..<100_352])
        #expect(outcome.reason == "Input/output error")
        #expect(outcome.endedAt == nil)
        #expect(bytes == expected(reader, 0..<1 << 20, [99_840..<100_352]))
        #expect(reader.counters.failedReads <= 12)
    }

    @Test func `large sectors are not split`() throws {
        let reader = SyntheticImageReader(byteCount: 1 << 20, seed: 2)
        reader.setUnreadable([100_000..<100_001])
        #expect(try scan(reader, 0..<1 << 20, sector: 4096).outcome.unreadable == [98304..<102_400])
    }

    @Test func `neighbouring bad sectors are one range`() throws {
        let reader = SyntheticImageReader(byteCount: 1 << 20, seed: 3)
        reader.setUnreadable([5000..<70_000, 900_000..<900_001])
        let (bytes, outcome) = try scan(reader, 0..<1 << 20)
        let bad: [Range<UInt64>] = [4608..<70_144, 899_584..<900_096]
        #expect(outcome.unreadable == bad)
        #expect(bytes == expected(reader, 0..<1 << 20, bad))
    }

    @Test func `a dead range costs about one failed read for each sector`() throws {
        let reader = SyntheticImageReader(byteCount: 1 << 20, seed: 4)
        reader.setUnreadable([0..<1 << 20])
        let (bytes, outcome) = try scan(reader, 0..<1 << 20)
        #expect(outcome.unreadable == [0..<1 << 20])
        #expect(bytes.allSatisfy { $0 == 0 })
        #expect(reader.counters.failedReads <= 2048 + 12)
    }

    @Test func `sectors are counted from the image's start, not the range's`() throws {
        let reader = SyntheticImageReader(byteCount: 100_000, seed: 5)
        reader.setUnreadable([1024..<1025])
        let (bytes, outcome) = try scan(reader, 700..<2001)
        #expect(outcome.unreadable == [1024..<1536])
        #expect(bytes == expected(reader, 700..<2001, [1024..<1536]))
    }

    @Test func `the missing tail of a shrunk source is unreadable and its end is told`() throws {
        let reader = SyntheticImageReader(byteCount: 100_000, seed: 6)
        reader.setCurrentByteCount(60_001)
        let (bytes, outcome) = try scan(reader, 50_000..<100_000)
        #expect(outcome.endedAt == 60_001)
        #expect(outcome.unreadable == [60_001..<100_000])
        #expect(bytes == expected(reader, 50_000..<100_000, [60_001..<100_000]))
        #expect(try scan(reader, 70_000..<80_000).outcome.unreadable == [70_000..<80_000])
    }

    @Test func `a source that shrinks while a damaged range is retried loses only its tail`() throws {
        let reader = SyntheticImageReader(byteCount: 65536, seed: 7)
        reader.setUnreadable([0..<512])
        reader.setCurrentByteCount(40_000, afterReads: 3)
        let (bytes, outcome) = try scan(reader, 0..<65536)
        #expect(outcome.endedAt == 40_000)
        #expect(outcome.unreadable == [0..<512, 40_000..<65536])
        #expect(bytes == expected(reader, 0..<65536, outcome.unreadable))
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func `exactly the sectors with damage are given up`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let byteCount = UInt64.random(in: 1...60_000, using: &random)
        let reader = SyntheticImageReader(byteCount: byteCount, seed: seed)
        let bad = (0..<Int.random(in: 0...5, using: &random)).map { _ in
            let start = UInt64.random(in: 0..<byteCount, using: &random)
            return start..<min(byteCount, start + UInt64.random(in: 1...5000, using: &random))
        }
        reader.setUnreadable(bad)
        let start = UInt64.random(in: 0..<byteCount, using: &random)
        let range = start..<UInt64.random(in: start...byteCount, using: &random)
        let (bytes, outcome) = try scan(reader, range)
        // Oracle: sector by sector.
        var lost = Set<UInt64>()
        for sector in 0...(byteCount / 512) {
            let part = (sector * 512..<(sector + 1) * 512).clamped(to: range)
            if bad.contains(where: { $0.overlaps(part) }) { lost.formUnion(part) }
        }
        #expect(Set(outcome.unreadable.joined()) == lost, "seed \(seed)")
        #expect(zip(outcome.unreadable, outcome.unreadable.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }, "seed \(seed)")
        #expect(bytes == expected(reader, range, outcome.unreadable), "seed \(seed)")
    }

    @Test func `other errors are passed on`() {
        struct Gone: ImageReader {
            let byteCount: UInt64 = 4096
            func extent(at offset: UInt64) throws(ImageError) -> ImageExtent { ImageExtent(kind: .data, end: 4096) }
            func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
                throw .failed(path: "gone", operation: "read", reason: "gone")
            }
        }
        #expect(throws: ImageError.failed(path: "gone", operation: "read", reason: "gone")) { try scan(Gone(), 0..<4096) }
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
