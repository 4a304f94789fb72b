import Foundation
@testable import ImageRepository

/// Retention a second time, with Foundation's calendar and by trying everything: slow, and written without a look at the first.
enum RetentionOracle {
    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone(secondsFromGMT: 0)!
        return calendar
    }()

    /// Of all subsets that never fall the largest; of those the one that comes first in the order of its indices. At most 12 times.
    static func believed(_ times: [Int64?]) -> [Int] {
        var best: [Int] = []
        for set in 0..<(1 << times.count) {
            let indices = times.indices.filter { set >> $0 & 1 == 1 }
            let chosen = indices.compactMap { times[$0] }
            guard chosen.count == indices.count, zip(chosen, chosen.dropFirst()).allSatisfy({ $0 <= $1 }) else { continue }
            if indices.count > best.count || (indices.count == best.count && indices.lexicographicallyPrecedes(best)) { best = indices }
        }
        return best
    }

    static func placed(_ told: [Int64?], now: Int64) -> [Int64] {
        let times = told.map { time in time.flatMap { $0 > now + 86_400 ? nil : $0 } }
        let believed = believed(times)
        var placed: [Int64] = []
        for index in times.indices {
            if believed.contains(index) {
                placed.append(times[index]!)
                continue
            }
            let after = believed.first { $0 > index }.map { times[$0]! }
            let before = placed.last
            switch (before, after) {
            case (nil, nil): placed.append(times[index] ?? now)
            case (let before?, nil): placed.append(max(before, times[index] ?? now))
            case (nil, let after?): placed.append(min(after, times[index] ?? after))
            case (let before?, let after?): placed.append(max(before, min(after, times[index] ?? after)))
            }
        }
        return placed
    }

    private static func key(_ period: RetentionPeriod, _ time: Int64) -> [Int] {
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .yearForWeekOfYear, .weekOfYear], from: Date(timeIntervalSince1970: Double(time)))
        return switch period {
        case .hourly: [parts.year!, parts.month!, parts.day!, parts.hour!]
        case .daily: [parts.year!, parts.month!, parts.day!]
        case .weekly: [parts.yearForWeekOfYear!, parts.weekOfYear!]
        case .monthly: [parts.year!, parts.month!]
        case .yearly: [parts.year!]
        }
    }

    static func start(_ span: (months: Int, days: Int, hours: Int), before time: Int64) -> Int64 {
        let date = Date(timeIntervalSince1970: Double(time))
        let month = calendar.date(byAdding: .month, value: -span.months, to: date)!
        return Int64(calendar.date(byAdding: .day, value: -span.days, to: month)!.timeIntervalSince1970) - Int64(span.hours) * 3600
    }

    /// Who is kept: a snapshot at a time, each rule looked at from that snapshot.
    static func kept(_ candidates: [RetentionCandidate], _ policy: RetentionPolicy, spans: [String: (months: Int, days: Int, hours: Int)]) -> [Bool] {
        candidates.indices.map { index in
            let candidate = candidates[index]
            let later = candidates[(index + 1)...]
            if candidate.isProtected || candidate.tags.contains(where: policy.tags.contains) { return true }
            if let last = policy.last, later.count < last { return true }
            let newest = candidates.last!.time
            if let within = policy.within, candidate.time > start(spans[within.description]!, before: newest) { return true }
            return RetentionPeriod.allCases.contains { period in
                let mine = key(period, candidate.time)
                let others = Set(later.map { key(period, $0.time) })
                guard !others.contains(mine) else { return false }
                if let count = policy.counts[period], others.count < count { return true }
                if let span = policy.periodsWithin[period], candidate.time > start(spans[span.description]!, before: newest) { return true }
                return false
            }
        }
    }
}
