/// Which of a band's aligned 4 KiB blocks hold nothing but zeros, as a bitmap.
///
/// Blocks count from the band's start, which is itself aligned in its volume. The last block may be partial; it is zero
/// if all the bytes it has are.
package struct ZeroBlocks: Sendable {
    package static let blockByteCount = 4096

    /// How many bytes were looked at.
    package let byteCount: Int
    package let blockCount: Int
    package let zeroBlockCount: Int
    /// Bit `n % 64` of word `n / 64` says whether block `n` is zero.
    private let bitmap: [UInt64]

    package var isAllZero: Bool { zeroBlockCount == blockCount }

    /// Reads one word of a block that begins with something, and all of a block that is zero.
    package init(in bytes: Span<UInt8>) {
        byteCount = bytes.count
        blockCount = (bytes.count + ZeroBlocks.blockByteCount - 1) / ZeroBlocks.blockByteCount
        var bitmap = [UInt64](repeating: 0, count: (blockCount + 63) / 64)
        var zeroBlockCount = 0
        for block in 0..<blockCount {
            let start = block * ZeroBlocks.blockByteCount
            if isZero(bytes.extracting(start..<min(start + ZeroBlocks.blockByteCount, bytes.count))) {
                bitmap[block / 64] |= 1 << UInt64(block % 64)
                zeroBlockCount += 1
            }
        }
        self.bitmap = bitmap
        self.zeroBlockCount = zeroBlockCount
    }

    /// - Precondition: there is such a block.
    package subscript(block: Int) -> Bool {
        precondition(block >= 0 && block < blockCount, "there is such a block")
        return bitmap[block / 64] >> UInt64(block % 64) & 1 == 1
    }

    /// The first zero block in `blocks`, or their upper bound if there is none.
    package func firstZero(in blocks: Range<Int>) -> Int { first(in: blocks, inverting: 0) }

    /// The first block in `blocks` that holds something, or their upper bound if there is none.
    package func firstNonzero(in blocks: Range<Int>) -> Int { first(in: blocks, inverting: ~0) }

    /// The first set bit in `blocks` of the bitmap, each word combined with `mask`.
    private func first(in blocks: Range<Int>, inverting mask: UInt64) -> Int {
        precondition(blocks.lowerBound >= 0 && blocks.upperBound <= blockCount, "there are such blocks")
        var block = blocks.lowerBound
        while block < blocks.upperBound {
            let word = (bitmap[block / 64] ^ mask) >> UInt64(block % 64)
            if word != 0 { return min(block + word.trailingZeroBitCount, blocks.upperBound) }
            block = (block / 64 + 1) * 64
        }
        return blocks.upperBound
    }
}

/// Whether all bytes are zero; a first word that is not is answered at once.
private func isZero(_ bytes: Span<UInt8>) -> Bool {
    unsafe bytes.withUnsafeBytes { bytes in
        // Every load lies below `bytes.count`: by the loops' conditions, or by the test before it.
        var position = 0
        if bytes.count >= 8, unsafe bytes.loadUnaligned(as: UInt64.self) != 0 { return false }
        while position + 256 <= bytes.count {
            let quarters = unsafe (
                bytes.loadUnaligned(fromByteOffset: position, as: SIMD8<UInt64>.self),
                bytes.loadUnaligned(fromByteOffset: position + 64, as: SIMD8<UInt64>.self),
                bytes.loadUnaligned(fromByteOffset: position + 128, as: SIMD8<UInt64>.self),
                bytes.loadUnaligned(fromByteOffset: position + 192, as: SIMD8<UInt64>.self)
            )
            if quarters.0 | quarters.1 | quarters.2 | quarters.3 != .zero { return false }
            position += 256
        }
        while position < bytes.count {
            if unsafe bytes[position] != 0 { return false }
            position += 1
        }
        return true
    }
}
