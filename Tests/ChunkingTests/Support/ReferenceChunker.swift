@testable import Chunking

/// The rules of `Specs/format/chunking.md`, written as they are stated there and as slowly as that takes.
struct ReferenceChunker {
    let table: GearTable
    let average: Int

    /// The hash of the last 64 bytes before `position`, from nothing.
    func hash(of bytes: [UInt8], before position: Int) -> UInt64 {
        var hash: UInt64 = 0
        for byte in bytes[position - 64..<position] { hash = hash &* 2 &+ table.words[Int(byte)] }
        return hash
    }

    func cutPoint(in bytes: [UInt8], from start: Int, to end: Int) -> Int {
        let minimum = average / 2
        let maximum = average * 4
        let threshold = UInt64(average - minimum).dividingFullWidth((1, 0)).quotient
        var byteCount = 0
        while start + byteCount < end {
            byteCount += 1
            if byteCount == maximum { break }
            if byteCount > minimum, hash(of: bytes, before: start + byteCount) < threshold { break }
        }
        return start + byteCount
    }

    func isZeroBlock(_ block: Int, of bytes: [UInt8]) -> Bool {
        bytes[block * 4096..<min((block + 1) * 4096, bytes.count)].allSatisfy { $0 == 0 }
    }

    func pieces(of bytes: [UInt8]) -> [BandPiece] {
        let blockIsZero = (0..<(bytes.count + 4095) / 4096).map { isZeroBlock($0, of: bytes) }
        var pieces: [BandPiece] = []
        var runStart = 0
        while runStart < bytes.count {
            let isZero = blockIsZero[runStart / 4096]
            var runEnd = runStart
            while runEnd < bytes.count, blockIsZero[runEnd / 4096] == isZero { runEnd = min(runEnd + 4096, bytes.count) }
            if isZero {
                pieces.append(.zero(runStart..<runEnd))
            } else {
                var start = runStart
                while start < runEnd {
                    let end = cutPoint(in: bytes, from: start, to: runEnd)
                    pieces.append(.data(start..<end))
                    start = end
                }
            }
            runStart = runEnd
        }
        return pieces
    }
}
