import Bytes
import RepositoryFormat

/// What makes two snapshots belong to the same group; each group keeps what the policy says for itself.
public struct RetentionGrouping: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let host = RetentionGrouping(rawValue: 1)
    /// The names of the images.
    public static let image = RetentionGrouping(rawValue: 2)
    /// The key slot that signed them.
    public static let key = RetentionGrouping(rawValue: 4)
}

/// Which snapshots a policy keeps and forgets, and why.
public struct RetentionPlan: Sendable {
    public struct Decision: Sendable {
        public let snapshot: Snapshot
        /// Seconds since 1970 that were counted with.
        public let time: Int64
        /// Whether that is another time than the snapshot tells.
        public let isMoved: Bool
        public let reasons: [RetentionReason]

        public var isKept: Bool { !reasons.isEmpty }
    }

    public struct Group: Sendable {
        /// Of what the grouping asks for, in words.
        public let name: String
        /// In the order of the history.
        public let decisions: [Decision]
    }

    public let groups: [Group]

    public var forgotten: [Snapshot] { groups.flatMap(\.decisions).filter { !$0.isKept }.map(\.snapshot) }

    /// - Parameters:
    ///   - snapshots: none that is forgotten already.
    ///   - now: seconds since 1970.
    /// - Throws: `.invalid` for a policy that keeps nothing of a group, or rests on a tag that no snapshot has; and if most snapshots lie in the future.
    public init(
        _ snapshots: [Snapshot], _ policy: RetentionPolicy, groupedBy grouping: RetentionGrouping, now: Int64
    ) throws(RepositoryError) {
        guard !policy.isEmpty else { throw .invalid("a policy without a rule would keep nothing") }
        if let tag = policy.tags.first(where: { tag in !snapshots.contains { $0.manifest.tags.contains(tag) } }) {
            throw .invalid("no snapshot has the tag “\(tag)”, so nothing would be kept because of it; nothing was forgotten")
        }
        let aheadCount = RetentionPlan.aheadCount(snapshots, now)
        guard aheadCount * 2 <= snapshots.count else {
            throw .invalid(
                "of \(snapshots.count == 1 ? "1 snapshot" : "\(snapshots.count) snapshots") \(aheadCount) \(aheadCount == 1 ? "is" : "are") from after \(Timestamp.text(secondsSince1970: now)), which is now by the clock of this machine; nothing was forgotten. Set the clock, or name snapshots by their ids")
        }
        var groups: [Group] = []
        let members = Dictionary(grouping: snapshots) { RetentionPlan.name($0, grouping) }
        for (name, members) in members.sorted(by: { $0.key < $1.key }) {
            let group = try RetentionPlan.group(name, members, policy, now)
            guard group.decisions.contains(where: \.isKept) else {
                throw .invalid("\(name): the policy \(members.count == 1 ? "does not keep the only snapshot" : "keeps none of \(members.count) snapshots"); nothing was forgotten. Name snapshots by their ids to forget all of them")
            }
            groups.append(group)
        }
        self.groups = groups
    }

    private static func group(_ name: String, _ members: [Snapshot], _ policy: RetentionPolicy, _ now: Int64) throws(RepositoryError) -> Group {
        let times = Dictionary(uniqueKeysWithValues: members.map { ($0.id, Timestamp.secondsSince1970($0.manifest.startTime)) })
        // Sessions that ran at the same time may have the same ordinal: then their clocks decide, which is as good as anything.
        let history = members.sorted { left, right in
            (left.manifest.ordinal, (times[left.id] ?? nil) ?? .max, left.id.hexadecimal) < (right.manifest.ordinal, (times[right.id] ?? nil) ?? .max, right.id.hexadecimal)
        }
        let told = history.map { times[$0.id] ?? nil }
        let placed = RetentionTimes.placed(told, now: now)
        let candidates = zip(history, placed).map { RetentionCandidate(time: $1, tags: $0.manifest.tags, isProtected: $0.isProtected, isDoubtful: $0.isDoubtful) }
        let isCounted = aheadCount(members, now) * 2 <= members.count
        let reasons = isCounted ? RetentionRules.reasons(candidates, policy) : members.map { _ in [.future] }
        return Group(
            name: name,
            decisions: history.indices.map { index in
                Decision(snapshot: history[index], time: placed[index], isMoved: told[index] != placed[index], reasons: reasons[index])
            })
    }

    /// How many tell a time that nobody can believe.
    private static func aheadCount(_ snapshots: [Snapshot], _ now: Int64) -> Int {
        snapshots.count { snapshot in Timestamp.secondsSince1970(snapshot.manifest.startTime).map { !RetentionTimes.isKnown($0, now: now) } ?? false }
    }

    private static func name(_ snapshot: Snapshot, _ grouping: RetentionGrouping) -> String {
        var parts: [String] = []
        if grouping.contains(.host) { parts.append("host \(snapshot.manifest.host)") }
        if grouping.contains(.image) { parts.append("image \(snapshot.manifest.images.map(\.name).sorted().joined(separator: ", "))") }
        if grouping.contains(.key) { parts.append("key \(snapshot.slot.hexadecimal.prefix(12))") }
        return parts.isEmpty ? "all snapshots" : parts.joined(separator: ", ")
    }
}
