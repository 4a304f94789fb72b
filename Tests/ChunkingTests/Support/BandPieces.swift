@testable import Chunking

/// All pieces of a band, from its start to its end.
func pieces(of bytes: [UInt8], table: GearTable, parameters: ChunkerParameters) -> [BandPiece] {
    let cutter = BandCutter(bytes.span, table: table, parameters: parameters)
    var pieces: [BandPiece] = []
    var position = 0
    while position < bytes.count {
        let piece = cutter.nextPiece(in: bytes.span, at: position, to: bytes.count)
        pieces.append(piece)
        position = piece.range.upperBound
    }
    return pieces
}
