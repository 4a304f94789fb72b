/// Whole numbers below a limit, a bit each.
struct BitSet {
    private var words: [UInt64]

    init(limit: Int) { words = [UInt64](repeating: 0, count: (limit + 63) / 64) }

    func contains(_ number: Int) -> Bool { words[number / 64] & 1 << UInt64(number % 64) != 0 }

    /// Whether the number was not in it.
    mutating func insert(_ number: Int) -> Bool {
        defer { words[number / 64] |= 1 << UInt64(number % 64) }
        return !contains(number)
    }
}
