public import RepositoryFormat

/// What a source is divided into, and what of it nobody needs.
public struct SourceLayout: Sendable {
    /// The partition table as structured data; null if there is none.
    public var label: JSONValue
    /// The sectors that the label counts in; nil for those of the source.
    public var sectorByteCount: UInt32?
    /// They cover the source, in the order of their ranges.
    public var volumes: [SourceVolume]

    public init(label: JSONValue, sectorByteCount: UInt32? = nil, volumes: [SourceVolume]) {
        self.label = label
        self.sectorByteCount = sectorByteCount
        self.volumes = volumes
    }

    /// One volume, of which nothing is known.
    public static func whole(byteCount: UInt64) -> SourceLayout {
        SourceLayout(label: .null, volumes: [SourceVolume(kind: .whole, range: 0..<byteCount)])
    }

    func covers(byteCount: UInt64) -> Bool {
        var end: UInt64 = 0
        for volume in volumes {
            guard volume.range.lowerBound == end else { return false }
            end = volume.range.upperBound
        }
        return end == byteCount && !volumes.isEmpty && volumes.count <= FormatLimits.volumesPerImageMax
    }
}

/// A contiguous part of a source that gets an address space of its own.
public struct SourceVolume: Sendable {
    public var kind: VolumeRecord.Kind
    /// The number of the partition in the label; nil for what is none.
    public var partition: UInt64?
    /// In the source.
    public var range: Range<UInt64>
    /// Type, label and UUID of the file system; null if there is none or it was not looked for.
    public var fileSystem: JSONValue
    /// Ranges of the volume that nobody needs, in order and without overlaps: whole blocks of 4 KiB from the volume's start on.
    public var free: [Range<UInt64>]

    public init(kind: VolumeRecord.Kind, partition: UInt64? = nil, range: Range<UInt64>, fileSystem: JSONValue = .null, free: [Range<UInt64>] = []) {
        self.kind = kind
        self.partition = partition
        self.range = range
        self.fileSystem = fileSystem
        self.free = free
    }
}
