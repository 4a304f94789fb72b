/// Which snapshots of a group are kept. What no rule keeps is forgotten.
public struct RetentionPolicy: Equatable, Sendable {
    /// As many of the newest.
    public var last: Int?
    /// The newest of each of as many of the newest periods in which there is one.
    public var counts: [RetentionPeriod: Int]
    /// All that are younger than that, counted from the newest of the group.
    public var within: RetentionSpan?
    /// The newest of each period, among those that are younger than that.
    public var periodsWithin: [RetentionPeriod: RetentionSpan]
    /// All that have one of these.
    public var tags: [String]

    public init(
        last: Int? = nil, counts: [RetentionPeriod: Int] = [:], within: RetentionSpan? = nil, periodsWithin: [RetentionPeriod: RetentionSpan] = [:], tags: [String] = []
    ) {
        self.last = last
        self.counts = counts
        self.within = within
        self.periodsWithin = periodsWithin
        self.tags = tags
    }

    public var isEmpty: Bool { last == nil && counts.isEmpty && within == nil && periodsWithin.isEmpty && tags.isEmpty }
}

/// Periods of the calendar, in UTC. Weeks begin on Monday.
public enum RetentionPeriod: String, CaseIterable, Sendable {
    case hourly, daily, weekly, monthly, yearly

    /// A number that all times of one period share, and that rises from period to period.
    func number(of seconds: Int64) -> Int64 {
        let days = Timestamp.floorDivide(seconds, 86_400)
        switch self {
        case .hourly: return Timestamp.floorDivide(seconds, 3600)
        case .daily: return days
        // 1970-01-01 was a Thursday.
        case .weekly: return Timestamp.floorDivide(days + 3, 7)
        case .monthly: return Timestamp.civil(days).0 * 12 + Timestamp.civil(days).1
        case .yearly: return Timestamp.civil(days).0
        }
    }
}

/// A length of time by the calendar: `30d`, `1y6m`, `2w`, `12h`.
public struct RetentionSpan: Equatable, Sendable, CustomStringConvertible {
    /// Years count as twelve.
    public var months: Int64
    /// Weeks count as seven.
    public var days: Int64
    public var hours: Int64
    public let description: String

    /// Nil unless the text is one or more numbers, each followed by y, m, w, d or h, in that order and each at most once.
    public init?(parsing text: String) {
        (months, days, hours) = (0, 0, 0)
        description = text
        var units = "ymwdh"[...]
        var rest = text[...]
        guard !text.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            guard let number = Int64(digits), digits.count <= 6, let unit = rest.dropFirst(digits.count).first, let place = units.firstIndex(of: unit) else { return nil }
            switch unit {
            case "y": months += 12 * number
            case "m": months += number
            case "w": days += 7 * number
            case "d": days += number
            default: hours += number
            }
            units = units[units.index(after: place)...]
            rest = rest.dropFirst(digits.count + 1)
        }
    }

    /// The time that is so much earlier; of a month that is too short, its last day.
    func start(before seconds: Int64) -> Int64 {
        let day = Timestamp.floorDivide(seconds, 86_400)
        let date = Timestamp.civil(day)
        let month = date.0 * 12 + date.1 - 1 - months
        let (year, monthOfYear) = (Timestamp.floorDivide(month, 12), month - Timestamp.floorDivide(month, 12) * 12 + 1)
        let start = Timestamp.days(year, monthOfYear, min(date.2, Timestamp.dayCount(year, monthOfYear))) - days
        return start * 86_400 + (seconds - day * 86_400) - hours * 3600
    }
}

/// Why a snapshot is kept.
public enum RetentionReason: Equatable, Sendable, CustomStringConvertible {
    case protected
    /// Its marks do not tell for certain what is wanted.
    case doubtful
    /// Most of its group's times lie in the future, so that nothing can be counted.
    case future
    case last
    case period(RetentionPeriod)
    case within(RetentionSpan)
    case periodWithin(RetentionPeriod, RetentionSpan)
    case tag(String)

    public var description: String {
        switch self {
        case .protected: "protected"
        case .doubtful: "its last mark has no effect, or cannot be read"
        case .future: "its group is from the future"
        case .last: "last"
        case .period(let period): period.rawValue
        case .within(let span): "within \(span)"
        case .periodWithin(let period, let span): "\(period.rawValue) within \(span)"
        case .tag(let tag): "tag \(tag)"
        }
    }
}
