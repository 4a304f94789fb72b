/// How large the chunks of a volume are. Everything follows from the average.
public struct ChunkerParameters: Equatable, Sendable {
    /// What a repository may be created with, in bytes.
    public static let averageByteCounts = 16 * 1024...1024 * 1024

    /// 32 KiB, what a repository is created with unless told otherwise.
    public static let standard = ChunkerParameters(uncheckedAverageByteCount: 32 * 1024)

    public let averageByteCount: Int
    /// A chunk is cut by content only beyond this many bytes: half the average.
    public var minimumByteCount: Int { averageByteCount / 2 }
    /// No chunk is longer: four times the average.
    public var maximumByteCount: Int { averageByteCount * 4 }

    /// A chunk ends where the hash is below this: ⌊2^64 / (average − minimum)⌋.
    let threshold: UInt64

    /// - Throws: `ChunkerError.averageOutOfBounds` unless the average is a power of two from 16 KiB to 1 MiB.
    public init(averageByteCount: Int) throws(ChunkerError) {
        guard ChunkerParameters.averageByteCounts.contains(averageByteCount), averageByteCount.nonzeroBitCount == 1 else {
            throw .averageOutOfBounds(averageByteCount)
        }
        self.init(uncheckedAverageByteCount: averageByteCount)
    }

    /// Takes averages too small for a repository, which make for quick tests.
    ///
    /// - Precondition: `averageByteCount` is a power of two whose half is not below the hash's window.
    init(uncheckedAverageByteCount averageByteCount: Int) {
        precondition(averageByteCount.nonzeroBitCount == 1 && averageByteCount / 2 >= gearWindowByteCount, "a usable average")
        self.averageByteCount = averageByteCount
        // The divisor is a power of two of at least 64, so halving the dividend and doubling the quotient is exact.
        threshold = (1 << 63) / UInt64(averageByteCount / 2) * 2
    }
}
