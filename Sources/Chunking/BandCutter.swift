/// Says piece by piece how a band divides into runs of zeros and chunks.
///
/// It can start anywhere, so a caller that recognises some ranges by other means asks only about the rest. Two cutters
/// over equal bytes that are asked at equal positions give equal pieces.
package struct BandCutter: Sendable {
    package let zeroBlocks: ZeroBlocks
    private let table: GearTable
    private let parameters: ChunkerParameters

    /// - Parameter bytes: the whole band; the same bytes are passed to `nextPiece`.
    package init(_ bytes: Span<UInt8>, table: GearTable, parameters: ChunkerParameters) {
        zeroBlocks = ZeroBlocks(in: bytes)
        self.table = table
        self.parameters = parameters
    }

    /// The piece that starts at `position`: zeros up to the next block that is not zero, or one chunk.
    ///
    /// A run of data ends at the next zero block and at `limit`; a run of zeros at `limit` too. Within a zero block any
    /// position gives zeros, so that zeros are never a chunk, wherever the caller begins.
    ///
    /// - Precondition: `0 ≤ position < limit ≤ bytes.count`, and `bytes` is the band that the cutter was made for.
    package func nextPiece(in bytes: Span<UInt8>, at position: Int, to limit: Int) -> BandPiece {
        precondition(bytes.count == zeroBlocks.byteCount, "the cutter's own band")
        precondition(0 <= position && position < limit && limit <= bytes.count, "the piece lies within the band")
        let block = position / ZeroBlocks.blockByteCount
        if zeroBlocks[block] {
            let end = zeroBlocks.firstNonzero(in: block..<zeroBlocks.blockCount)
            return .zero(position..<min(end * ZeroBlocks.blockByteCount, limit))
        }
        // A zero block beyond the longest chunk cannot end this one, so it is not searched for.
        let reach = min(limit, position + parameters.maximumByteCount)
        let endBlock = (reach + ZeroBlocks.blockByteCount - 1) / ZeroBlocks.blockByteCount
        let zeroBlock = zeroBlocks.firstZero(in: block..<endBlock)
        let runEnd = min(reach, zeroBlock * ZeroBlocks.blockByteCount)
        return .data(position..<cutPoint(in: bytes, from: position, to: runEnd, table: table, parameters: parameters))
    }
}
