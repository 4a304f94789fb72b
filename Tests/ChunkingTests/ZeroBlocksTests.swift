import TestSupport
import Testing

@testable import Chunking

struct ZeroBlocksTests {
    @Test func `one byte anywhere in a block makes it nonzero`() {
        for position in [0, 1, 7, 8, 63, 64, 255, 256, 257, 2047, 3839, 3840, 4088, 4095] {
            var bytes = [UInt8](repeating: 0, count: 3 * 4096)
            bytes[4096 + position] = 1
            let blocks = ZeroBlocks(in: bytes.span)
            #expect(blocks[0] && !blocks[1] && blocks[2], "byte \(position)")
        }
    }

    @Test(arguments: [1, 7, 8, 9, 255, 256, 257, 4095])
    func `the last partial block is zero if all its bytes are`(byteCount: Int) {
        var bytes = [UInt8](repeating: 0, count: 4096 + byteCount)
        #expect(ZeroBlocks(in: bytes.span).isAllZero)
        for position in 4096..<bytes.count {
            bytes[position] = 0x80
            #expect(!ZeroBlocks(in: bytes.span)[1], "byte \(position)")
            bytes[position] = 0
        }
    }

    @Test func `no bytes have no blocks`() {
        let blocks = ZeroBlocks(in: [UInt8]().span)
        #expect(blocks.blockCount == 0)
        #expect(blocks.firstZero(in: 0..<0) == 0)
    }

    @Test func `the first block of a kind is found from and up to any block`() {
        for seed in UInt64(0)..<12 {
            var generator = SeededGenerator(seed: seed)
            let isZero = (0..<200).map { _ in UInt64.random(in: 0..<40, using: &generator) < seed * 4 }
            var bytes = [UInt8](repeating: 0, count: isZero.count * 4096)
            for (block, isZero) in isZero.enumerated() where !isZero { bytes[block * 4096 + 4000] = 1 }
            let blocks = ZeroBlocks(in: bytes.span)
            #expect(blocks.zeroBlockCount == isZero.count { $0 }, "seed \(seed)")
            for start in stride(from: 0, to: isZero.count, by: 3) {
                for end in [start, min(start + 1, 200), min(start + 64, 200), 200] {
                    let zero = (start..<end).first { isZero[$0] } ?? end
                    let nonzero = (start..<end).first { !isZero[$0] } ?? end
                    #expect(blocks.firstZero(in: start..<end) == zero, "seed \(seed)")
                    #expect(blocks.firstNonzero(in: start..<end) == nonzero, "seed \(seed)")
                }
            }
        }
    }
}
