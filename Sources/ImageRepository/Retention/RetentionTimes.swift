/// The times that retention counts with: those the machines told, brought into the order in which the repository saw the snapshots.
///
/// A machine's clock may be wrong, and a machine may lie; the order of a history it cannot change. Specs/retention.md has the reasons.
enum RetentionTimes {
    /// A clock may be ahead by so much and is still believed.
    private static let aheadSecondsMax: Int64 = 86_400

    /// Whether a time is not in the future; what is cannot be believed.
    static func isKnown(_ time: Int64, now: Int64) -> Bool { time <= now + aheadSecondsMax }

    /// Times that never fall from one to the next. Most of those given are believed: as many as possible of which none contradicts another, the
    /// earliest in the history if there is a choice. Each other one becomes the nearest that fits between its believed neighbours.
    ///
    /// - Parameters:
    ///   - told: seconds since 1970, in the order of the history; nil where there is no time.
    ///   - now: by the clock of who asks. If no later one is believed, nothing is placed after it.
    static func placed(_ told: [Int64?], now: Int64) -> [Int64] {
        let times = told.map { time in time.flatMap { isKnown($0, now: now) ? $0 : nil } }
        let believed = consistent(times)
        var placed: [Int64] = []
        var next = believed.startIndex
        var floor: Int64?
        for (index, time) in times.enumerated() {
            if next < believed.endIndex, believed[next] == index { next += 1 }
            let ceiling = next < believed.endIndex ? times[believed[next]] : nil
            let isBelieved = next > believed.startIndex && believed[next - 1] == index
            var value = time ?? ceiling ?? max(now, floor ?? now)
            if !isBelieved {
                if let ceiling { value = min(value, ceiling) }
                if let floor { value = max(value, floor) }
            }
            placed.append(value)
            floor = value
        }
        return placed
    }

    /// The indices of a longest subsequence that never falls; of several, the one whose first index is lowest, then the second, and so on.
    private static func consistent(_ times: [Int64?]) -> [Int] {
        // Of the subsequences that begin at each index the greatest length, from the last one backwards.
        // heads[n]: the latest time at which one of length n + 1 begins.
        var heads: [Int64] = []
        var lengths = [Int](repeating: 0, count: times.count)
        for index in times.indices.reversed() {
            guard let time = times[index] else { continue }
            // The first head that is earlier than this time cannot follow it.
            var (low, high) = (0, heads.count)
            while low < high {
                let middle = (low + high) / 2
                if heads[middle] >= time { low = middle + 1 } else { high = middle }
            }
            if low == heads.count { heads.append(time) } else { heads[low] = time }
            lengths[index] = low + 1
        }
        var wanted = heads.count
        var chosen: [Int] = []
        var floor = Int64.min
        for (index, time) in times.enumerated() where wanted > 0 && lengths[index] == wanted {
            guard let time, time >= floor else { continue }
            chosen.append(index)
            floor = time
            wanted -= 1
        }
        return chosen
    }
}
