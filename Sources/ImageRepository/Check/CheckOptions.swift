public struct CheckOptions: Sendable {
    public enum Data: Sendable, Equatable {
        /// Objects, index and maps only.
        case structure
        /// Also every byte of a random part of the data packs, 0…100 %.
        case sample(percent: Double)
        /// Also every byte of every pack: every chunk is opened.
        case all
    }

    public var data = Data.structure
    public var threadCount: Int?

    public init() {}
}

/// What a check looked at and found.
public struct CheckReport: Sendable {
    public let snapshotCount: Int
    public let packCount: Int
    /// Of those, read whole and opened.
    public let openedPackCount: Int
    public let chunkCount: Int
    /// References of maps to parts of chunks that were compared with the chunks, once for each copy of a chunk.
    public let comparedPartCount: Int
    /// Of so many chunks those of one were: 1, unless there are so many that they have no room in memory.
    public let partSample: Int
    /// Damaged objects that repairs have taken away, and which nobody needs to look at again.
    public let quarantinedCount: Int
    public let problems: [Problem]

    public var isClean: Bool { !problems.contains { $0.severity == .error } }
}
