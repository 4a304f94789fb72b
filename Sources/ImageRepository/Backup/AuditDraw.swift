import Glibc

/// Which places are read although a change map calls them unchanged: all of some ranges, and of the rest windows drawn at random.
///
/// Windows, because a disk reads neighbouring chunks at once; the share of each chunk is the same.
struct AuditDraw {
    static let windowByteCount: UInt64 = 256 << 10

    /// 0 to 1.
    private let share: Double
    /// In order.
    private let always: [Range<UInt64>]
    private var generator = SystemRandomNumberGenerator()
    /// The number of the next window that is drawn.
    private var next: UInt64 = 0

    init(share: Double, always: [Range<UInt64>]) {
        precondition(share >= 0 && share <= 1, "a share")
        self.share = share
        self.always = always
        next = distance() - 1
    }

    /// Whether the chunk at a place is to be read. Places never go back.
    mutating func draws(_ chunk: Range<UInt64>) -> Bool {
        let window = chunk.lowerBound / AuditDraw.windowByteCount
        advance(to: window)
        return next == window || always.contains { $0.overlaps(chunk) }
    }

    /// What of a range is to be read, in order. Ranges never go back.
    mutating func parts(of range: Range<UInt64>) -> [Range<UInt64>] {
        var parts = always.map { $0.clamped(to: range) }
        advance(to: range.lowerBound / AuditDraw.windowByteCount)
        while next < .max / AuditDraw.windowByteCount, next * AuditDraw.windowByteCount < range.upperBound {
            let window = next * AuditDraw.windowByteCount..<(next + 1) * AuditDraw.windowByteCount
            parts.append(window.clamped(to: range))
            // The range that follows may have the rest of it.
            guard window.upperBound <= range.upperBound else { break }
            next += distance()
        }
        return parts.filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
    }

    private mutating func advance(to window: UInt64) { while next < window { next += distance() } }

    /// How far apart windows are that are drawn independently of each other: the geometric distribution. At least 1.
    private mutating func distance() -> UInt64 {
        if share >= 1 { return 1 }
        let never: UInt64 = 1 << 44
        if share <= 0 { return never }
        let steps = log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &generator)) / log1p(-share)
        return steps < Double(never) ? UInt64(steps) + 1 : never
    }
}
