/// What the rules need to know of a snapshot.
struct RetentionCandidate: Equatable {
    /// Seconds since 1970, from `RetentionTimes`.
    var time: Int64
    var tags: [String]
    var isProtected: Bool
    var isDoubtful = false
}

/// The rules themselves: pure, so that they can be tested against another program of the same meaning.
enum RetentionRules {
    /// Why each is kept; none of the reasons for who is to be forgotten.
    ///
    /// - Parameter candidates: one group, in the order of its history, of which the times never fall.
    static func reasons(_ candidates: [RetentionCandidate], _ policy: RetentionPolicy) -> [[RetentionReason]] {
        var reasons = [[RetentionReason]](repeating: [], count: candidates.count)
        guard let newest = candidates.last else { return reasons }
        for (index, candidate) in candidates.enumerated() where candidate.isProtected { reasons[index].append(.protected) }
        for (index, candidate) in candidates.enumerated() where candidate.isDoubtful { reasons[index].append(.doubtful) }
        if let last = policy.last {
            for index in candidates.indices.suffix(max(0, last)) { reasons[index].append(.last) }
        }
        for period in RetentionPeriod.allCases {
            guard let count = policy.counts[period] else { continue }
            for index in newestOfEach(period, candidates).prefix(max(0, count)) { reasons[index].append(.period(period)) }
        }
        if let span = policy.within {
            let start = span.start(before: newest.time)
            for (index, candidate) in candidates.enumerated() where candidate.time > start { reasons[index].append(.within(span)) }
        }
        for period in RetentionPeriod.allCases {
            guard let span = policy.periodsWithin[period] else { continue }
            let start = span.start(before: newest.time)
            for index in newestOfEach(period, candidates) where candidates[index].time > start { reasons[index].append(.periodWithin(period, span)) }
        }
        for (index, candidate) in candidates.enumerated() {
            if let tag = policy.tags.first(where: candidate.tags.contains) { reasons[index].append(.tag(tag)) }
        }
        return reasons
    }

    /// The last of each period, newest first.
    private static func newestOfEach(_ period: RetentionPeriod, _ candidates: [RetentionCandidate]) -> [Int] {
        var found: [Int] = []
        var previous: Int64?
        for index in candidates.indices.reversed() {
            let number = period.number(of: candidates[index].time)
            if number != previous { found.append(index) }
            previous = number
        }
        return found
    }
}
