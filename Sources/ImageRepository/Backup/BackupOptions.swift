public import Bytes
public import DiskImages

/// One thing to back up.
public struct BackupSource: Sendable {
    public enum Content: Sendable {
        case image(any ImageReader)
        case stream(any ImageStream)
    }

    public var content: Content
    public var identity: SourceIdentity
    /// Nil for one volume of which nothing is known; always so for a stream.
    public var layout: SourceLayout?
    /// What somebody tells of changes; nil if nobody does, and for a stream.
    public var tracking: ChangeTracking?

    public init(_ reader: any ImageReader, identity: SourceIdentity, layout: SourceLayout? = nil, tracking: ChangeTracking? = nil) {
        content = .image(reader)
        self.identity = identity
        self.layout = layout
        self.tracking = tracking
    }

    public init(_ stream: any ImageStream, identity: SourceIdentity) {
        content = .stream(stream)
        self.identity = identity
    }

    /// Nil for a stream.
    var byteCount: UInt64? {
        switch content {
        case .image(let reader): reader.byteCount
        case .stream: nil
        }
    }
}

/// Where to look for what is unchanged.
public enum ParentChoice: Sendable, Equatable {
    /// The newest complete snapshot of the same host and image name.
    case automatic
    case none
    case snapshot(SnapshotID)
}

public struct BackupOptions: Sendable {
    /// Instead of the environment's.
    public var host: String?
    public var tags: [String] = []
    public var description = ""
    public var parent = ParentChoice.automatic
    /// zstd level 1…12; nil stores everything raw.
    public var compressionLevel: Int? = 3
    /// Worker threads; nil for one a core.
    public var threadCount: Int?
    /// Bytes a second that are read from the sources at most; nil for no limit.
    public var readLimit: UInt64?
    /// Of what a change map calls unchanged, at least so much is read and compared all the same: 0 to 1.
    public var auditShare = 0.01
    /// Trust no fingerprint: every chunk is recognised by its id.
    public var rehashes = false
    public var reading = ReadingHooks()
    /// One in so many fingerprint matches is verified by chunk id, chosen at random: 1.6 %.
    package var verifiedMatchRate: UInt64 = 64

    public init() {}
}

/// What became of a change map.
public struct ChangeMapUse: Sendable, Equatable {
    public enum Outcome: Sendable, Equatable {
        /// What it calls unchanged was taken over.
        case used(takenByteCount: UInt64, auditedByteCount: UInt64)
        /// It does not fit, or there is none: everything was read.
        case unused(reason: String)
        /// An audit found other bytes at a place of the image than it said: everything was read.
        case refuted(offset: UInt64)
    }

    public var image: String
    public var outcome: Outcome

    public init(image: String, outcome: Outcome) { (self.image, self.outcome) = (image, outcome) }
}

/// What a backup did.
public struct BackupReport: Sendable {
    public let snapshot: Snapshot
    /// What the person should know: unreadable ranges, a source that grew, a parent that could not be read.
    public let warnings: [String]
    /// By image name: byte ranges of the image that could not be read.
    public let unreadable: [(image: String, range: Range<UInt64>)]
    /// Of each image of which somebody told changes.
    public let changeMaps: [ChangeMapUse]
    /// Objects put, by kind.
    public let dataPackCount: Int
    public let mapPackCount: Int
}
