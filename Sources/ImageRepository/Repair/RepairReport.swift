/// Something a repair did, or with a dry run would do.
public struct RepairStep: Equatable, Sendable {
    public enum Action: String, Sendable {
        /// A pack that no index object named was put into the index.
        case index
        /// A damaged pack was put on a list, so that backups store again what it holds.
        case condemn
        /// A damaged object was copied into the quarantine and then taken away.
        case quarantine
        /// A snapshot whose manifest is lost was ended for good.
        case drop
    }

    public let action: Action
    /// Name of the object.
    public let object: String
    /// What is wrong with it.
    public let reason: String
}

/// What a repair found and did.
public struct RepairReport: Sendable {
    public let snapshotCount: Int
    public let packCount: Int
    /// Of those, read whole.
    public let openedPackCount: Int
    public internal(set) var steps: [RepairStep]
    /// What is left as it is. Errors say what to do.
    public internal(set) var problems: [Problem]
    /// What cannot be restored, by snapshot, image and volume, until a backup brings it again.
    public let lost: [LostRanges]

    /// Nothing is lost, and nothing is left that a prune or a restore would stumble over.
    public var isWhole: Bool { lost.isEmpty && !problems.contains { $0.severity == .error } }
}
