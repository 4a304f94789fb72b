import TestSupport
import Testing

@testable import Chunking

struct BandCutterTests {
    private let small = ChunkerParameters(uncheckedAverageByteCount: 1024)

    /// Bytes with data of several kinds and zeros at aligned and unaligned places.
    private func patchwork(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...5, using: &generator) {
            let byteCount = Int.random(in: 1...6000, using: &generator)
            switch UInt8.random(in: 0..<5, using: &generator) {
            case 0: bytes += generator.bytes(byteCount)
            case 1: bytes += generator.bytes(byteCount).map { $0 % 3 }
            case 2: bytes += [UInt8](repeating: 0, count: byteCount)
            case 3: bytes += [UInt8](repeating: 0, count: (bytes.count + 8191) / 4096 * 4096 - bytes.count)
            default: bytes += [UInt8](repeating: 9, count: byteCount)
            }
        }
        return bytes
    }

    @Test func `pieces equal the slow reference over patchworks of data and zeros`() {
        var zeroCount = 0
        var dataCount = 0
        for seed in UInt64(0)..<300 {
            var generator = SeededGenerator(seed: seed)
            let table = generator.table()
            let bytes = patchwork(&generator)
            let found = pieces(of: bytes, table: table, parameters: small)
            #expect(found == ReferenceChunker(table: table, average: 1024).pieces(of: bytes), "seed \(seed)")
            zeroCount += found.count { if case .zero = $0 { true } else { false } }
            dataCount += found.count { if case .data = $0 { true } else { false } }
        }
        #expect(zeroCount > 150 && dataCount > 1000, "the patchworks hold both kinds")
    }

    @Test func `pieces from any position to any limit equal those of the reference over that part`() {
        for seed in UInt64(0)..<500 {
            var generator = SeededGenerator(seed: seed)
            let table = generator.table()
            let bytes = patchwork(&generator)
            guard bytes.count > 1 else { continue }
            let position = Int.random(in: 0..<bytes.count - 1, using: &generator)
            let limit = Int.random(in: position + 1...bytes.count, using: &generator)
            let reference = ReferenceChunker(table: table, average: 1024)
            let isZero = reference.isZeroBlock(position / 4096, of: bytes)
            var runEnd = (position / 4096 + 1) * 4096
            while runEnd < limit, reference.isZeroBlock(runEnd / 4096, of: bytes) == isZero { runEnd += 4096 }
            runEnd = min(runEnd, limit)
            let expected: BandPiece = isZero
                ? .zero(position..<runEnd) : .data(position..<reference.cutPoint(in: bytes, from: position, to: runEnd))
            let cutter = BandCutter(bytes.span, table: table, parameters: small)
            #expect(cutter.nextPiece(in: bytes.span, at: position, to: limit) == expected, "seed \(seed)")
        }
    }

    @Test func `a band of zeros is one piece`() {
        var generator = SeededGenerator(seed: 1)
        let bytes = [UInt8](repeating: 0, count: 16 * 4096 + 5)
        #expect(pieces(of: bytes, table: generator.table(), parameters: .standard) == [.zero(0..<bytes.count)])
    }

    @Test func `zeros that fill no aligned block stay part of a chunk`() {
        var generator = SeededGenerator(seed: 2)
        let table = generator.table()
        var bytes = generator.bytes(12288).map { $0 | 1 }
        for position in 1...8190 { bytes[position] = 0 }
        #expect(pieces(of: bytes, table: table, parameters: .standard) == [.data(0..<12288)])
    }

    @Test func `after an insertion the cuts fall in the same places of the content again`() {
        for seed in UInt64(0)..<40 {
            var generator = SeededGenerator(seed: seed)
            let table = generator.table()
            let bytes = generator.bytes(64 * 1024)
            let inserted = generator.bytes(Int.random(in: 1...100, using: &generator))
            let place = Int.random(in: 0...4096, using: &generator)
            let edited = bytes[..<place] + inserted + bytes[place...]
            let before = Set(pieces(of: bytes, table: table, parameters: small).map(\.range.upperBound))
            let after = pieces(of: Array(edited), table: table, parameters: small).map { $0.range.upperBound - inserted.count }
            let common = after.filter { before.contains($0) }
            #expect(common.count * 2 > before.count, "seed \(seed)")
            // Once both have cut at one place they never part again.
            if let first = common.first { #expect(after.filter { $0 >= first } == before.filter { $0 >= first }.sorted(), "seed \(seed)") }
        }
    }
}
