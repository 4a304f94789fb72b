import TestSupport
import Testing

@testable import Chunking

struct CutPointTests {
    /// Minimum 128, maximum 1024: small, so that many cases take little time.
    private let small = ChunkerParameters(uncheckedAverageByteCount: 256)

    @Test func `cuts equal the slow reference over random and low-entropy bytes`() {
        for seed in UInt64(0)..<2000 {
            var generator = SeededGenerator(seed: seed)
            let table = generator.table()
            let byteCount = Int.random(in: 0...1400, using: &generator)
            let alphabet = [UInt8(1), 2, 16, 255][Int(seed % 4)]
            let bytes = generator.bytes(byteCount).map { $0 % alphabet }
            let start = Int.random(in: 0...byteCount / 4, using: &generator)
            let end = Int.random(in: start...byteCount, using: &generator)
            let reference = ReferenceChunker(table: table, average: 256)
            #expect(
                cutPoint(in: bytes.span, from: start, to: end, table: table, parameters: small)
                    == reference.cutPoint(in: bytes, from: start, to: end), "seed \(seed)")
        }
    }

    @Test(arguments: [0, 1, 63, 64, 127, 128, 129, 130, 191, 192, 193, 1023, 1024, 1025, 1026, 2048])
    func `cuts equal the slow reference for runs around every boundary`(byteCount: Int) {
        for seed in UInt64(0)..<25 {
            var generator = SeededGenerator(seed: seed)
            let table = generator.table()
            let bytes = generator.bytes(byteCount)
            let reference = ReferenceChunker(table: table, average: 256)
            #expect(
                cutPoint(in: bytes.span, from: 0, to: byteCount, table: table, parameters: small)
                    == reference.cutPoint(in: bytes, from: 0, to: byteCount), "seed \(seed)")
        }
    }

    @Test func `the shortest chunk cut by content is one byte longer than the minimum`() {
        // Every word is zero, so every hash is below the threshold.
        let table = GearTable([UInt8](repeating: 0, count: GearTable.byteCount).span)
        let bytes = [UInt8](repeating: 7, count: 1000)
        #expect(cutPoint(in: bytes.span, from: 10, to: 1000, table: table, parameters: small) == 10 + 129)
    }

    @Test func `a chunk that nothing cuts ends at the maximum`() {
        // Every word is one, so the hash of any 64 bytes is 2^64 - 1: never below the threshold.
        let ones: [UInt8] = (0..<GearTable.byteCount).map { $0 % 8 == 0 ? 1 : 0 }
        let table = GearTable(ones.span)
        let bytes = [UInt8](repeating: 7, count: 3000)
        #expect(cutPoint(in: bytes.span, from: 10, to: 3000, table: table, parameters: small) == 10 + 1024)
    }

    @Test func `a cut depends on the chunk's own bytes only`() {
        for seed in UInt64(0)..<300 {
            var generator = SeededGenerator(seed: seed)
            let table = generator.table()
            let chunk = generator.bytes(1100)
            let prefix = generator.bytes(Int.random(in: 0...300, using: &generator))
            let alone = cutPoint(in: chunk.span, from: 0, to: chunk.count, table: table, parameters: small)
            let moved = cutPoint(
                in: (prefix + chunk).span, from: prefix.count, to: prefix.count + chunk.count, table: table, parameters: small)
            #expect(moved - prefix.count == alone, "seed \(seed)")
        }
    }

    @Test func `chunks have the nominal size on average`() {
        for (average, byteCount) in [(4096, 4 << 20), (32 * 1024, 12 << 20)] {
            var generator = SeededGenerator(seed: 3)
            let table = generator.table()
            let bytes = generator.bytes(byteCount)
            let parameters = ChunkerParameters(uncheckedAverageByteCount: average)
            var chunkCount = 0
            var position = 0
            while position < byteCount {
                position = cutPoint(in: bytes.span, from: position, to: byteCount, table: table, parameters: parameters)
                chunkCount += 1
            }
            let ratio = Double(byteCount) / Double(chunkCount) / Double(average)
            #expect(ratio > 0.9 && ratio < 1.1, "average \(average)")
        }
    }
}
