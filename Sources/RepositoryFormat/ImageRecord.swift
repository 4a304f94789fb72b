import Bytes

/// One disk, or something like one, in a manifest.
public struct ImageRecord: Equatable, Sendable {
    /// What the source was.
    public struct Source: Equatable, Sendable {
        /// "file", "device", "stream" or "nbd".
        public var kind: String
        public var path: String
        public var serialNumber: String?
        public var worldWideName: String?
        public var model: String?

        public init(kind: String, path: String, serialNumber: String?, worldWideName: String?, model: String?) {
            self.kind = kind
            self.path = path
            self.serialNumber = serialNumber
            self.worldWideName = worldWideName
            self.model = model
        }
    }

    public var name: String
    public var source: Source
    public var byteCount: UInt64
    public var logicalSectorByteCount: UInt32
    public var physicalSectorByteCount: UInt32
    /// The partition table as structured data; null if there is none or it was not looked for.
    public var label: JSONValue
    /// Who can tell the next backup what changed; nil if nobody can.
    public var changeTracker: ChangeTracker?
    public var volumes: [VolumeRecord]

    public init(
        name: String, source: Source, byteCount: UInt64, logicalSectorByteCount: UInt32, physicalSectorByteCount: UInt32,
        label: JSONValue, changeTracker: ChangeTracker?, volumes: [VolumeRecord]
    ) {
        self.name = name
        self.source = source
        self.byteCount = byteCount
        self.logicalSectorByteCount = logicalSectorByteCount
        self.physicalSectorByteCount = physicalSectorByteCount
        self.label = label
        self.changeTracker = changeTracker
        self.volumes = volumes
    }

    public var json: JSONValue {
        [
            "name": .string(name),
            "source": [
                "kind": .string(source.kind), "path": .string(source.path), "serial_number": .text(source.serialNumber),
                "world_wide_name": .text(source.worldWideName), "model": .text(source.model),
            ],
            "byte_count": .count(byteCount),
            "logical_sector_byte_count": .count(logicalSectorByteCount),
            "physical_sector_byte_count": .count(physicalSectorByteCount),
            "label": label,
            "change_tracker": changeTracker?.json ?? .null,
            "volumes": .array(volumes.map(\.json)),
        ]
    }

    init(_ json: JSONValue) throws(FormatError) {
        name = try json.string("name")
        guard let source = json["source"] else { throw .member("source") }
        self.source = Source(
            kind: try source.string("kind"), path: try source.string("path"), serialNumber: try source.optionalString("serial_number"),
            worldWideName: try source.optionalString("world_wide_name"), model: try source.optionalString("model"))
        byteCount = try json.count("byte_count", limit: FormatLimits.volumeByteCountMax)
        logicalSectorByteCount = UInt32(try json.count("logical_sector_byte_count", limit: 1 << 20))
        physicalSectorByteCount = UInt32(try json.count("physical_sector_byte_count", limit: 1 << 20))
        label = try json.value("label")
        let tracker = try json.value("change_tracker")
        changeTracker = tracker == .null ? nil : try ChangeTracker(tracker)
        volumes = []
        for volume in try json.array("volumes", limit: FormatLimits.volumesPerImageMax) { volumes.append(try VolumeRecord(volume)) }
        try checkPlacements()
    }

    /// Volumes must cover the image without gaps and without overlaps, in any order.
    private func checkPlacements() throws(FormatError) {
        guard !volumes.isEmpty else { throw .member("volumes") }
        var end: UInt64 = 0
        for placement in volumes.flatMap(\.placements).sorted(by: { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }) {
            guard placement.offset == end else { throw .member("placements") }
            end += placement.byteCount
        }
        guard end == byteCount else { throw .member("placements") }
    }
}

/// A contiguous part of an image with an address space of its own.
public struct VolumeRecord: Equatable, Sendable {
    /// Where bytes of the volume stand in the image. Format 1 writes one placement a volume.
    public struct Placement: Equatable, Sendable {
        public var offset: UInt64
        public var byteCount: UInt64

        public init(offset: UInt64, byteCount: UInt64) { (self.offset, self.byteCount) = (offset, byteCount) }
    }

    /// What the bytes are; what a reader does with them does not depend on it.
    public struct Kind: RawRepresentable, Equatable, Sendable {
        public let rawValue: String

        public init(rawValue: String) { self.rawValue = rawValue }

        /// All of an image that is not divided.
        public static let whole = Kind(rawValue: "whole")
        public static let partition = Kind(rawValue: "partition")
        /// What belongs to no partition: the label itself, boot code, room between partitions.
        public static let gap = Kind(rawValue: "gap")
    }

    public var kind: Kind
    /// The number of the partition in the image's label; nil for what is none.
    public var partition: UInt64?
    public var placements: [Placement]
    public var averageChunkByteCount: Int
    /// Type, label and UUID of the file system; null if there is none or it was not looked for.
    public var fileSystem: JSONValue
    public var root: MapSlot

    public init(kind: Kind, partition: UInt64?, placements: [Placement], averageChunkByteCount: Int, fileSystem: JSONValue, root: MapSlot) {
        self.kind = kind
        self.partition = partition
        self.placements = placements
        self.averageChunkByteCount = averageChunkByteCount
        self.fileSystem = fileSystem
        self.root = root
    }

    public var byteCount: UInt64 { placements.reduce(0) { $0 + $1.byteCount } }

    public var geometry: MapGeometry { MapGeometry(byteCount: byteCount) }

    var json: JSONValue {
        [
            "kind": .string(kind.rawValue),
            "partition": partition.map { .count($0) } ?? .null,
            "placements": .array(placements.map { ["offset": .count($0.offset), "byte_count": .count($0.byteCount)] }),
            "band_byte_count": .count(FormatLimits.bandByteCount),
            "chunker": ["average_byte_count": .count(averageChunkByteCount)],
            "file_system": fileSystem,
            "root": root.json,
        ]
    }

    init(_ json: JSONValue) throws(FormatError) {
        kind = Kind(rawValue: try json.string("kind"))
        partition = try json.value("partition") == .null ? nil : try json.count("partition", limit: UInt64(UInt32.max))
        placements = []
        var total: UInt64 = 0
        for placement in try json.array("placements", limit: 1 << 16) {
            let offset = try placement.count("offset", limit: FormatLimits.volumeByteCountMax)
            let byteCount = try placement.count("byte_count", limit: FormatLimits.volumeByteCountMax)
            total += byteCount
            guard total <= FormatLimits.volumeByteCountMax else { throw .member("placements") }
            placements.append(Placement(offset: offset, byteCount: byteCount))
        }
        guard !placements.isEmpty else { throw .member("placements") }
        guard try json.count("band_byte_count", limit: 1 << 40) == UInt64(FormatLimits.bandByteCount) else { throw .member("band_byte_count") }
        guard let chunker = json["chunker"] else { throw .member("chunker") }
        averageChunkByteCount = Int(try chunker.count("average_byte_count", limit: 1 << 20))
        fileSystem = try json.value("file_system")
        guard let root = json["root"] else { throw .member("root") }
        self.root = try MapSlot(root, byteCount: total)
    }
}

/// Something kept with a snapshot that is not an image: a map tree like a volume's, followed by every marker, known kind or not.
public struct Attachment: Equatable, Sendable {
    public var kind: String
    public var name: String
    public var byteCount: UInt64
    public var root: MapSlot

    public init(kind: String, name: String, byteCount: UInt64, root: MapSlot) {
        self.kind = kind
        self.name = name
        self.byteCount = byteCount
        self.root = root
    }

    var json: JSONValue {
        ["kind": .string(kind), "name": .string(name), "byte_count": .count(byteCount), "root": root.json]
    }

    init(_ json: JSONValue) throws(FormatError) {
        kind = try json.string("kind")
        name = try json.string("name")
        byteCount = try json.count("byte_count", limit: FormatLimits.volumeByteCountMax)
        guard let root = json["root"] else { throw .member("root") }
        self.root = try MapSlot(root, byteCount: byteCount)
    }
}
