package import RepositoryFormat

/// A contiguous part of a disk.
package struct DiskVolume: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// All of a disk that has no label.
        case whole
        /// The partition of that number.
        case partition(UInt32)
        /// Everything else: the label's sectors, boot code, space that no partition has.
        case gap
    }

    package var kind: Kind
    /// In bytes of the disk.
    package var range: Range<UInt64>
    /// What was recognised; nil if nothing was.
    package var fileSystem: FileSystemDescription?

    package init(kind: Kind, range: Range<UInt64>, fileSystem: FileSystemDescription? = nil) {
        self.kind = kind
        self.range = range
        self.fileSystem = fileSystem
    }

    package var byteCount: UInt64 { range.upperBound - range.lowerBound }
}

/// What a volume holds, as far as its superblock tells.
package struct FileSystemDescription: Equatable, Sendable {
    package enum Usage: String, Sendable {
        case fileSystem = "filesystem"
        case raid
        case crypto
        case other
    }

    package var usage: Usage
    /// As libblkid names it: `ext4`, `vfat`, `crypto_LUKS`, `LVM2_member` …
    package var type: String
    package var version: String?
    package var label: String?
    package var uuid: String?
    package var blockByteCount: UInt64?
    /// Bytes of the volume that are not free; nil where it is not known what is free.
    package var usedByteCount: UInt64?

    package init(
        usage: Usage, type: String, version: String? = nil, label: String? = nil, uuid: String? = nil, blockByteCount: UInt64? = nil, usedByteCount: UInt64? = nil
    ) {
        self.usage = usage
        self.type = type
        self.version = version
        self.label = label
        self.uuid = uuid
        self.blockByteCount = blockByteCount
        self.usedByteCount = usedByteCount
    }
}

extension DiskVolume {
    var json: JSONValue {
        let (kindText, number): (String, UInt64?) =
            switch kind {
            case .whole: ("whole", nil)
            case .partition(let number): ("partition", UInt64(number))
            case .gap: ("gap", nil)
            }
        return [
            "kind": .string(kindText),
            "partition": .optionalCount(number),
            "offset": .count(range.lowerBound),
            "byte_count": .count(byteCount),
            "file_system": fileSystem?.json ?? .null,
        ]
    }

    init(_ json: JSONValue) throws(DiskLayoutError) {
        let number = try json.optionalCount("partition", limit: 1 << 24)
        switch (try json.boundedText("kind"), number) {
        case ("whole", nil): kind = .whole
        case ("partition", let number?): kind = .partition(UInt32(number))
        case ("gap", nil): kind = .gap
        default: throw .outOfBounds("kind")
        }
        range = try json.byteRange()
        let description = try reading { () throws(FormatError) in try json.value("file_system") }
        fileSystem = description == .null ? nil : try FileSystemDescription(description)
        guard (fileSystem?.usedByteCount ?? 0) <= byteCount else { throw .outOfBounds("used_byte_count") }
    }
}

extension FileSystemDescription {
    package var json: JSONValue {
        [
            "usage": .string(usage.rawValue),
            "type": .string(type),
            "version": .text(version),
            "label": .text(label),
            "uuid": .text(uuid),
            "block_byte_count": .optionalCount(blockByteCount),
            "used_byte_count": .optionalCount(usedByteCount),
        ]
    }

    package init(_ json: JSONValue) throws(DiskLayoutError) {
        guard let usage = Usage(rawValue: try json.boundedText("usage")) else { throw .outOfBounds("usage") }
        self.usage = usage
        type = try json.boundedText("type")
        version = try json.optionalBoundedText("version")
        label = try json.optionalBoundedText("label")
        uuid = try json.optionalBoundedText("uuid")
        blockByteCount = try json.optionalCount("block_byte_count", limit: 1 << 40)
        usedByteCount = try json.optionalCount("used_byte_count", limit: DiskLayoutLimits.diskByteCountMax)
    }
}
