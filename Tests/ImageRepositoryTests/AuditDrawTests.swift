@testable import ImageRepository
import Testing

struct AuditDrawTests {
    private static let chunk: UInt64 = 32 << 10

    @Test(arguments: [0.01, 0.1, 0.5]) func `so large a share of chunks is drawn, in windows`(share: Double) {
        var draw = AuditDraw(share: share, always: [])
        let count: UInt64 = 400_000
        let drawn = (0..<count).count { draw.draws($0 * Self.chunk..<($0 + 1) * Self.chunk) }
        // The windows are drawn independently of each other: eight standard deviations.
        let windows = Double(count) / 8
        let deviation = (windows * share * (1 - share)).squareRoot() * 8
        #expect(abs(Double(drawn) - Double(count) * share) < 8 * deviation)
    }

    @Test func `all or nothing, but for what is always read`() {
        var all = AuditDraw(share: 1, always: [])
        var none = AuditDraw(share: 0, always: [100..<200, 10_000_000..<10_000_001])
        for number in UInt64(0)..<1000 {
            let chunk = number * Self.chunk..<(number + 1) * Self.chunk
            let (isInAll, isInNone) = (all.draws(chunk), none.draws(chunk))
            #expect(isInAll && isInNone == (number == 0 || number == 305))
        }
        var parts = AuditDraw(share: 0, always: [100..<200, 400..<500])
        let found = parts.parts(of: 150..<450)
        #expect(found == [150..<200, 400..<450])
    }

    @Test func `parts of touching ranges are those of the whole`() {
        for _ in 0..<50 {
            var draw = AuditDraw(share: 0.3, always: [])
            var covered: UInt64 = 0
            var position: UInt64 = 0
            var windows: Set<UInt64> = []
            while position < 1 << 28 {
                let end = position + UInt64.random(in: 1...3_000_000)
                for part in draw.parts(of: position..<end) {
                    covered += UInt64(part.count)
                    windows.insert(part.lowerBound / AuditDraw.windowByteCount)
                }
                position = end
            }
            // Only the last window may be cut off.
            let whole = UInt64(windows.count) * AuditDraw.windowByteCount
            #expect(covered <= whole && covered + AuditDraw.windowByteCount > whole && windows.count > 200)
        }
    }
}
