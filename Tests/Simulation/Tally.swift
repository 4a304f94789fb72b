/// What happened in runs. A campaign in which nothing happened proves nothing, so it has least counts.
struct Tally {
    enum Count: String, CaseIterable {
        case seeds, operations, switches, crashes, sleeps, ambushes, ambushesReleased, powerFailures, namesLost, faults, lostReplies, lateEffects, repeatedRequests, lateListings
        case backups, acknowledged, endedSessions, sessionsFoundEnded, abortRecords
        case forgotten, undeleted, protected, finalMarks
        case prunesFinished, prunesWaiting, prunesStopped, prunesAgain, packsDeleted, packsSpared, listsAdopted, indexesRewritten
        case checks, checksOfData, restores, restoresOfForgotten, replays, damagesFound, endings
    }

    private var counts: [Count: Int] = [:]
    /// Largest size of a repository in thousandths of a fresh one's, without one pack.
    var overhead = 0

    subscript(_ count: Count) -> Int {
        get { counts[count, default: 0] }
        set { counts[count] = newValue }
    }

    /// For each thousand seeds, at least: about a third of what was measured.
    private static let least: [Count: Int] = [
        .operations: 800_000, .crashes: 1000, .sleeps: 700, .ambushes: 500, .ambushesReleased: 250, .powerFailures: 80, .namesLost: 2, .faults: 200, .lostReplies: 1200, .lateEffects: 200,
        .repeatedRequests: 400, .lateListings: 2000, .acknowledged: 4000, .endedSessions: 600, .sessionsFoundEnded: 300, .abortRecords: 1000,
        .forgotten: 1500, .undeleted: 40, .protected: 100, .finalMarks: 1500, .prunesFinished: 1800, .prunesWaiting: 300, .packsDeleted: 2500,
        .packsSpared: 50, .listsAdopted: 8, .indexesRewritten: 1200, .checks: 600, .checksOfData: 500, .restores: 3000, .replays: 15, .damagesFound: 50,
        .endings: 1000,
    ]

    mutating func add(_ other: Tally) {
        for (count, number) in other.counts { self[count] += number }
        overhead = max(overhead, other.overhead)
    }

    /// Counts that show that the campaign did not do what it is for.
    var shortfalls: [String] {
        Count.allCases.compactMap { count in
            let wanted = (Tally.least[count] ?? 0) * self[.seeds] / 1000
            return self[count] < wanted ? "\(count.rawValue): \(self[count]), and there should be \(wanted)" : nil
        }
    }

    var text: String { Count.allCases.map { "\($0.rawValue)=\(self[$0])" }.joined(separator: " ") + " overhead=\(overhead)" }

    init() {}

    /// Reads `text` back; unknown words are passed over.
    init(parsing text: some StringProtocol) {
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "=")
            guard parts.count == 2, let number = Int(parts[1]) else { continue }
            if let count = Count(rawValue: String(parts[0])) { counts[count] = number } else if parts[0] == "overhead" { overhead = number }
        }
    }
}
