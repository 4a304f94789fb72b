public import Bytes

/// The document that names a snapshot's images, their layout and their map roots. Section: Specs/format/manifest.md.
///
/// Its JSON bytes are signed and sealed as they are, and never encoded anew before the signature was verified. Members that this
/// program does not know are ignored.
public struct Manifest: Equatable, Sendable {
    /// The newest manifest of this machine that its writer had seen.
    public struct Head: Equatable, Sendable {
        public var snapshot: SnapshotID
        /// SHA-256 of the object `snapshots/<id>`.
        public var digest: Digest

        public init(snapshot: SnapshotID, digest: Digest) { (self.snapshot, self.digest) = (snapshot, digest) }
    }

    /// All snapshots that the writer had seen: how many, and the SHA-256 of their sorted 16-byte ids.
    public struct Seen: Equatable, Sendable {
        public var count: UInt64
        public var digest: Digest

        public init(count: UInt64, digest: Digest) { (self.count, self.digest) = (count, digest) }
    }

    public var snapshot: SnapshotID
    public var parent: SnapshotID?
    public var host: String
    /// Of the machine that wrote it, from /etc/machine-id; empty if it has none.
    public var machineID: String
    /// RFC 3339, UTC, by the clock of the machine that wrote it.
    public var startTime: String
    public var endTime: String
    public var tool: String
    public var tags: [String]
    public var description: String
    public var images: [ImageRecord]
    public var attachments: [Attachment]
    public var counters: Counters
    /// False if parts of a source could not be read.
    public var isComplete: Bool
    /// 1 + the highest seen when it was written.
    public var ordinal: UInt64
    public var heads: [Head]
    public var seen: Seen
    public var keyringNumber: UInt64
    public var requiredFeatures: FeatureSet

    public init(
        snapshot: SnapshotID, parent: SnapshotID?, host: String, machineID: String, startTime: String, endTime: String, tool: String,
        tags: [String], description: String, images: [ImageRecord], attachments: [Attachment], counters: Counters, isComplete: Bool,
        ordinal: UInt64, heads: [Head], seen: Seen, keyringNumber: UInt64, requiredFeatures: FeatureSet
    ) {
        self.snapshot = snapshot
        self.parent = parent
        self.host = host
        self.machineID = machineID
        self.startTime = startTime
        self.endTime = endTime
        self.tool = tool
        self.tags = tags
        self.description = description
        self.images = images
        self.attachments = attachments
        self.counters = counters
        self.isComplete = isComplete
        self.ordinal = ordinal
        self.heads = heads
        self.seen = seen
        self.keyringNumber = keyringNumber
        self.requiredFeatures = requiredFeatures
    }

    public var body: [UInt8] { json.encoded }

    public var json: JSONValue {
        [
            "format": .count(FormatLimits.version),
            "snapshot_id": .string(snapshot.hexadecimal),
            "parent": .text(parent?.hexadecimal),
            "host": .string(host),
            "machine_id": .string(machineID),
            "start_time": .string(startTime),
            "end_time": .string(endTime),
            "tool": .string(tool),
            "tags": .strings(tags),
            "description": .string(description),
            "images": .array(images.map(\.json)),
            "attachments": .array(attachments.map(\.json)),
            "counters": counters.json,
            "complete": .bool(isComplete),
            "ordinal": .count(ordinal),
            "heads": .array(heads.map { ["snapshot_id": .string($0.snapshot.hexadecimal), "digest": .string($0.digest.hexadecimal)] }),
            "seen": ["count": .count(seen.count), "digest": .string(seen.digest.hexadecimal)],
            "keyring": .count(keyringNumber),
            "required_features": requiredFeatures.json,
        ]
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        // Features first: a manifest that needs an unknown one may have members of another shape.
        requiredFeatures = try FeatureSet(of: json)
        try requiredFeatures.permit(.read)
        guard try json.count("format", limit: 255) == UInt64(FormatLimits.version) else { throw .member("format") }
        snapshot = SnapshotID(try json.randomID("snapshot_id"))
        parent = nil
        if try json.optionalString("parent") != nil { parent = SnapshotID(try json.randomID("parent")) }
        host = try json.string("host")
        machineID = try json.string("machine_id")
        startTime = try json.string("start_time")
        endTime = try json.string("end_time")
        tool = try json.string("tool")
        tags = try json.strings("tags", limit: 1024)
        description = try json.string("description")
        images = []
        for image in try json.array("images", limit: FormatLimits.imagesPerSnapshotMax) { images.append(try ImageRecord(image)) }
        guard Set(images.map { Array($0.name.utf8) }).count == images.count else { throw .member("images") }
        attachments = []
        for attachment in try json.array("attachments", limit: 1 << 16) { attachments.append(try Attachment(attachment)) }
        counters = try Counters(of: json)
        isComplete = try json.bool("complete")
        ordinal = try json.count("ordinal", limit: UInt64(Int64.max))
        heads = []
        for head in try json.array("heads", limit: 1 << 16) {
            heads.append(Head(snapshot: SnapshotID(try head.randomID("snapshot_id")), digest: try head.digest("digest")))
        }
        guard let seen = json["seen"] else { throw .member("seen") }
        self.seen = Seen(count: try seen.count("count", limit: UInt64(Int64.max)), digest: try seen.digest("digest"))
        keyringNumber = try json.count("keyring", limit: UInt64(Int64.max))
    }
}

extension Manifest {
    /// What the backup read and stored, in bytes and pieces.
    public struct Counters: Equatable, Sendable {
        /// Sum of the images' sizes.
        public var imageByteCount: UInt64 = 0
        /// Of those, read from the sources; holes are not read.
        public var readByteCount: UInt64 = 0
        public var unreadableByteCount: UInt64 = 0
        /// Of the images, taken over from the parent because a change map called it unchanged, those audited included.
        public var takenByteCount: UInt64 = 0
        /// Of those, read all the same, and compared.
        public var auditedByteCount: UInt64 = 0
        public var chunkCount: UInt64 = 0
        public var newChunkCount: UInt64 = 0
        /// Plaintext of the chunks stored for this snapshot.
        public var newByteCount: UInt64 = 0
        /// What those chunks and the maps took in packs.
        public var storedByteCount: UInt64 = 0

        public init() {}

        public var json: JSONValue {
            [
                "image_byte_count": .count(imageByteCount),
                "read_byte_count": .count(readByteCount),
                "unreadable_byte_count": .count(unreadableByteCount),
                "taken_byte_count": .count(takenByteCount),
                "audited_byte_count": .count(auditedByteCount),
                "chunk_count": .count(chunkCount),
                "new_chunk_count": .count(newChunkCount),
                "new_byte_count": .count(newByteCount),
                "stored_byte_count": .count(storedByteCount),
            ]
        }

        fileprivate init(of document: JSONValue) throws(FormatError) {
            guard let json = document["counters"] else { throw .member("counters") }
            let limit = UInt64(Int64.max)
            imageByteCount = try json.count("image_byte_count", limit: limit)
            readByteCount = try json.count("read_byte_count", limit: limit)
            unreadableByteCount = try json.count("unreadable_byte_count", limit: limit)
            takenByteCount = try json.count("taken_byte_count", limit: limit)
            auditedByteCount = try json.count("audited_byte_count", limit: limit)
            chunkCount = try json.count("chunk_count", limit: limit)
            newChunkCount = try json.count("new_chunk_count", limit: limit)
            newByteCount = try json.count("new_byte_count", limit: limit)
            storedByteCount = try json.count("stored_byte_count", limit: limit)
        }
    }
}
