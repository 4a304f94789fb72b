import TestSupport
import Testing

@testable import DiskLayout

struct FreeMapTests {
    @Test func `ranges that touch are joined before they are rounded`() {
        var builder = FreeMapBuilder(volumeByteCount: 100_000)
        for range: Range<UInt64> in [0..<1024, 1024..<4096, 5000..<8192, 8192..<8200, 9000..<10000, 20000..<20000, 99_000..<100_000] { builder.require(range) }
        #expect(builder.finish().ranges == [0..<4096])
    }

    @Test func `what is out of order or outside is not added`() {
        var builder = FreeMapBuilder(volumeByteCount: 65536)
        builder.require(8192..<16384)
        builder.requireRefused(12288..<20480)
        builder.requireRefused(0..<4096)
        builder.requireRefused(61440..<65537)
        #expect(builder.finish().ranges == [8192..<16384])
    }

    @Test func `of too many ranges the largest are kept, in their order`() {
        var generator = SeededGenerator(seed: 9)
        for limit in [1, 2, 7, 50] {
            var builder = FreeMapBuilder(volumeByteCount: 1 << 40, rangeCountMax: limit)
            var all: [Range<UInt64>] = []
            var end: UInt64 = 0
            for _ in 0..<300 {
                let start = end + 4096 * .random(in: 1...3, using: &generator)
                end = start + 4096 * .random(in: 1...9, using: &generator)
                all.append(start..<end)
                builder.require(start..<end)
            }
            let kept = builder.finish().ranges
            #expect(kept.count == limit && kept == kept.sorted { $0.lowerBound < $1.lowerBound } && kept.allSatisfy(all.contains))
            #expect(kept.map(\.count).sorted() == all.map(\.count).sorted().suffix(limit))
        }
    }

    @Test func `the range at a place or behind it is found`() {
        var builder = FreeMapBuilder(volumeByteCount: 1 << 20)
        for range: Range<UInt64> in [4096..<8192, 16384..<32768, 65536..<131072] { builder.require(range) }
        let map = builder.finish()
        for offset in stride(from: UInt64(0), to: 1 << 18, by: 1024) {
            #expect(map.range(endingAfter: offset) == map.ranges.first { $0.upperBound > offset })
        }
    }
}

extension FreeMapBuilder {
    mutating func require(_ range: Range<UInt64>) {
        let isAdded = add(range)
        #expect(isAdded, "\(range)")
    }

    mutating func requireRefused(_ range: Range<UInt64>) {
        let isAdded = add(range)
        #expect(!isAdded, "\(range)")
    }
}
