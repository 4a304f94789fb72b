/// The 256 words that the gear hash adds, one for each value of a byte.
///
/// They are secret: who knows them could tell from chunk lengths what a repository holds. A class, because 2 KiB are
/// shared by all workers rather than copied.
public final class GearTable: Sendable {
    /// What a table is made from: 256 little-endian words.
    public static let byteCount = 2048

    let words: InlineArray<256, UInt64>

    /// - Precondition: `bytes` has exactly 2048 bytes.
    public init(_ bytes: Span<UInt8>) {
        precondition(bytes.count == GearTable.byteCount, "a gear table is made from 2048 bytes")
        var words = InlineArray<256, UInt64>(repeating: 0)
        for position in bytes.indices {
            words[position / 8] |= UInt64(bytes[position]) << UInt64(8 * (position % 8))
        }
        self.words = words
    }
}
