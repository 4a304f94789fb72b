import Foundation
@testable import ImageRepository
import TestSupport
import Testing

struct RetentionTests {
    /// 2026-03-01T12:00:00Z
    private static let now: Int64 = 1_772_366_400
    private static let spans: [(String, (months: Int, days: Int, hours: Int))] = [
        ("36h", (0, 0, 36)), ("3d", (0, 3, 0)), ("2w", (0, 14, 0)), ("1m", (1, 0, 0)), ("1y2m1w3d5h", (14, 10, 5)),
    ]

    @Test func `100 000 random histories are kept and forgotten as another program of the same meaning does`() throws {
        let count = Int(ProcessInfo.processInfo.environment["HOLDFAST_HISTORIES"] ?? "") ?? 100_000
        var generator = SeededGenerator(seed: 4)
        let spans = try Self.spans.map { try #require(RetentionSpan(parsing: $0.0)) }
        var (moved, forgotten, kept) = (0, 0, 0)
        for number in 0..<count {
            let told = Self.history(&generator)
            let placed = RetentionTimes.placed(told, now: Self.now)
            try #require(placed == RetentionOracle.placed(told, now: Self.now), "history \(number): \(told)")
            let candidates = placed.map { time in
                RetentionCandidate(
                    time: time, tags: Int.random(in: 0..<8, using: &generator) == 0 ? ["month"] : [], isProtected: Int.random(in: 0..<20, using: &generator) == 0)
            }
            let policy = Self.policy(&generator, spans)
            let found = RetentionRules.reasons(candidates, policy).map { !$0.isEmpty }
            try #require(found == RetentionOracle.kept(candidates, policy, spans: Dictionary(uniqueKeysWithValues: Self.spans)), "history \(number): \(candidates) \(policy)")
            moved += zip(told, placed).count { $0 != $1 }
            forgotten += found.count { !$0 }
            kept += found.count { $0 }
        }
        // The histories are of all kinds.
        #expect(moved > count / 4 && forgotten > count && kept > count, "\(moved) moved, \(forgotten) forgotten, \(kept) kept")
    }

    /// Up to nine snapshots, hours to months apart, of machines whose clocks are sometimes wrong.
    private static func history(_ generator: inout SeededGenerator) -> [Int64?] {
        let step = [3600, 40_000, 86_400, 700_000, 3_000_000].randomElement(using: &generator) ?? 1
        var time = now - Int64(step) * 9
        return (0..<Int.random(in: 0...9, using: &generator)).map { _ in
            // Sometimes two at the same second.
            if Int.random(in: 0..<4, using: &generator) > 0 { time += Int64.random(in: 0...Int64(step), using: &generator) }
            switch Int.random(in: 0..<16, using: &generator) {
            case 0: return nil
            case 1: return Int64.random(in: 0...86_400, using: &generator)
            case 2: return now + Int64.random(in: 0...10_000_000, using: &generator)
            case 3: return time - Int64.random(in: 0...Int64(step) * 4, using: &generator)
            case 4: return time + Int64.random(in: 0...Int64(step) * 4, using: &generator)
            default: return time
            }
        }
    }

    private static func policy(_ generator: inout SeededGenerator, _ spans: [RetentionSpan]) -> RetentionPolicy {
        func sometimes<Value>(_ value: Value?) -> Value? { Int.random(in: 0..<3, using: &generator) == 0 ? value : nil }
        var policy = RetentionPolicy(last: sometimes(Int.random(in: 0...3, using: &generator)), within: sometimes(spans.randomElement(using: &generator)))
        for period in RetentionPeriod.allCases {
            policy.counts[period] = sometimes(Int.random(in: 0...4, using: &generator))
            policy.periodsWithin[period] = Int.random(in: 0..<6, using: &generator) == 0 ? spans.randomElement(using: &generator) : nil
        }
        if Int.random(in: 0..<4, using: &generator) == 0 { policy.tags = ["month"] }
        return policy
    }

    @Test func `a clock that was wrong for a while moves nobody else`() {
        let day: Int64 = 86_400
        let days = (0..<10).map { Self.now - (10 - Int64($0)) * day }
        // Back in 1970, and a century ahead.
        for wrong: Int64 in [5, Self.now + 36_500 * day] {
            var told: [Int64?] = days
            told[4] = wrong
            let placed = RetentionTimes.placed(told, now: Self.now)
            #expect(placed.enumerated().allSatisfy { $0.offset == 4 || $0.element == days[$0.offset] })
            #expect((days[3]...days[5]).contains(placed[4]))
        }
    }

    @Test func `rubbish from the future does not push out what is there`() {
        let day: Int64 = 86_400
        let sound = (0..<7).map { Self.now - (7 - Int64($0)) * day }
        let rubbish = (1...7).map { Self.now + Int64($0) * 2 * day }
        let placed = RetentionTimes.placed(sound + rubbish, now: Self.now)
        let candidates = placed.map { RetentionCandidate(time: $0, tags: [], isProtected: false) }
        let kept = RetentionRules.reasons(candidates, RetentionPolicy(counts: [.daily: 7])).map { !$0.isEmpty }
        #expect(kept.prefix(7).count { $0 } >= 6, "all that is rubbish counts as one day")
    }

    @Test(arguments: ["", "3", "d", "3x", "3d3d", "3d1y", "-3d", "3d ", "1234567d"]) func `what is no span of time is refused`(text: String) {
        #expect(RetentionSpan(parsing: text) == nil)
    }

    @Test func `a month before the end of a long month is the end of a short one`() throws {
        let march31 = try #require(Timestamp.secondsSince1970("2028-03-31T10:00:00Z"))
        let start = try #require(RetentionSpan(parsing: "1m")).start(before: march31)
        #expect(Timestamp.text(secondsSince1970: start) == "2028-02-29T10:00:00Z")
    }
}
