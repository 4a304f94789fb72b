/// Runs of equal bits in a bitmap whose lowest bit comes first.
enum BitmapRuns {
    /// Ranges of bits that are clear, among the first `bitCount`.
    ///
    /// - Precondition: the bitmap has that many bits.
    static func clear(in bitmap: Span<UInt8>, bitCount: Int) -> [Range<Int>] {
        precondition(bitCount <= 8 * bitmap.count, "a bitmap holds its bits")
        var runs: [Range<Int>] = []
        var start: Int?
        var bit = 0
        while bit < bitCount {
            let byte = bitmap[bit / 8]
            // Whole bytes of one kind.
            if bit % 8 == 0, bit + 8 <= bitCount, byte == 0 || byte == 0xff {
                if byte == 0 {
                    if start == nil { start = bit }
                } else if let first = start {
                    runs.append(first..<bit)
                    start = nil
                }
                bit += 8
                continue
            }
            if byte >> UInt8(bit % 8) & 1 == 0 {
                if start == nil { start = bit }
            } else if let first = start {
                runs.append(first..<bit)
                start = nil
            }
            bit += 1
        }
        if let first = start { runs.append(first..<bitCount) }
        return runs
    }
}
