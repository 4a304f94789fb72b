import Testing

@testable import ImageRepository

struct ComparisonPaceTests {
    private static let piece = 1 << 20

    /// Which of `count` pieces are compared, if those in `equal` hold something that is equal.
    private func compared(_ count: Int, equal: Set<Int> = [], by pace: ComparisonPace = ComparisonPace(averageChunkByteCount: 32 << 10)) -> [Int] {
        (0..<count).filter { number in
            guard pace.compares(next: Self.piece) else { return false }
            pace.note(Self.piece, isAnythingEqual: equal.contains(number))
            return true
        }
    }

    @Test func `a target that is like the snapshot is compared throughout`() {
        #expect(compared(100, equal: Set(0..<100)) == Array(0..<100))
        // Less than eight mebibytes that differ in a row change nothing.
        #expect(compared(100, equal: Set((0..<100).filter { $0 % 8 == 7 })) == Array(0..<100))
    }

    @Test func `the more differs in a row, the less is looked at, up to a thirty-third`() {
        #expect(compared(200) == Array(0..<8) + [16, 34] + Array(stride(from: 67, to: 200, by: 33)))
    }

    @Test func `large chunks are waited for longer`() {
        #expect(compared(100, by: ComparisonPace(averageChunkByteCount: 256 << 10)) == Array(0..<64) + [96])
    }

    @Test func `what is equal is looked at from then on`() {
        #expect(compared(100, equal: Set(20..<100)) == Array(0..<8) + [16] + Array(34..<100))
    }

    @Test func `one piece with something equal begins anew, whoever compared it`() {
        let pace = ComparisonPace(averageChunkByteCount: 32 << 10)
        #expect(compared(8, by: pace) == Array(0..<8))
        pace.note(Self.piece, isAnythingEqual: true)
        #expect(compared(9, by: pace) == Array(0..<8))
    }
}
