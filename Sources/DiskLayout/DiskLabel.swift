package import RepositoryFormat

/// A partition table.
package struct DiskLabel: Equatable, Sendable {
    package enum Kind: String, Sendable {
        case gpt
        case mbr
    }

    package var kind: Kind
    /// The disk's GUID in upper case, or the MBR's id as `0x` and eight lower-case digits.
    package var id: String
    /// GPT only: the room for partitions, in sectors, inclusive, and how many entries the table has.
    package var firstUsableSector: UInt64?
    package var lastUsableSector: UInt64?
    package var entryCount: UInt32?
    /// In order of their numbers.
    package var partitions: [DiskPartition]

    package init(kind: Kind, id: String, firstUsableSector: UInt64? = nil, lastUsableSector: UInt64? = nil, entryCount: UInt32? = nil, partitions: [DiskPartition]) {
        self.kind = kind
        self.id = id
        self.firstUsableSector = firstUsableSector
        self.lastUsableSector = lastUsableSector
        self.entryCount = entryCount
        self.partitions = partitions
    }

    package func partition(_ number: UInt32) -> DiskPartition? { partitions.first { $0.number == number } }

    /// Partitions are in order of their numbers, within the disk, and those that hold data do not overlap; logical ones lie within the extended one.
    package func check(within byteCount: UInt64) throws(DiskLayoutError) {
        guard partitions.count <= DiskLayoutLimits.partitionCountMax else { throw .outOfBounds("partitions") }
        var previous: UInt32 = 0
        for partition in partitions {
            guard partition.number > previous else { throw .outOfBounds("number") }
            previous = partition.number
            guard !partition.range.isEmpty, partition.range.upperBound <= byteCount else { throw .outOfBounds("partitions") }
            guard (kind == .mbr) == (partition.role != nil) else { throw .outOfBounds("role") }
        }
        var end: UInt64 = 0
        for range in partitions.filter({ $0.role != .extended }).map(\.range).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard range.lowerBound >= end else { throw .outOfBounds("partitions") }
            end = range.upperBound
        }
        let extended = partitions.filter { $0.role == .extended }.map(\.range)
        guard extended.count <= 1 else { throw .outOfBounds("role") }
        for partition in partitions {
            switch partition.role {
            case .logical: guard let outer = extended.first, outer.clamped(to: partition.range) == partition.range else { throw .outOfBounds("partitions") }
            case .primary: guard !(extended.first?.overlaps(partition.range) ?? false) else { throw .outOfBounds("partitions") }
            case .extended, nil: break
            }
        }
    }
}

/// An entry of a partition table.
package struct DiskPartition: Equatable, Sendable {
    /// What an entry of an MBR is. An extended partition holds logical ones and their tables, and is no volume itself.
    package enum Role: String, Sendable {
        case primary
        case extended
        case logical
    }

    package var number: UInt32
    /// In bytes of the disk.
    package var range: Range<UInt64>
    /// A GUID in upper case, or an MBR's type as `0x` and two lower-case digits.
    package var type: String
    /// The partition's own GUID in upper case; in an MBR the disk's id and the number, as Linux forms a PARTUUID.
    package var id: String
    /// GPT only; empty if it has none.
    package var name: String
    /// GPT's attribute bits; in an MBR the status byte: 0x80 if it is to be booted.
    package var attributes: UInt64
    /// MBR only.
    package var role: Role?

    package init(number: UInt32, range: Range<UInt64>, type: String, id: String, name: String = "", attributes: UInt64 = 0, role: Role? = nil) {
        self.number = number
        self.range = range
        self.type = type
        self.id = id
        self.name = name
        self.attributes = attributes
        self.role = role
    }
}

extension DiskLabel {
    package var json: JSONValue {
        [
            "kind": .string(kind.rawValue),
            "id": .string(id),
            "first_usable_sector": .optionalCount(firstUsableSector),
            "last_usable_sector": .optionalCount(lastUsableSector),
            "entry_count": .optionalCount(entryCount.map(UInt64.init)),
            "partitions": .array(partitions.map(\.json)),
        ]
    }

    package init(_ json: JSONValue) throws(DiskLayoutError) {
        guard let kind = Kind(rawValue: try json.boundedText("kind")) else { throw .outOfBounds("kind") }
        self.kind = kind
        id = try json.boundedText("id")
        firstUsableSector = try json.optionalCount("first_usable_sector", limit: 1 << 56)
        lastUsableSector = try json.optionalCount("last_usable_sector", limit: 1 << 56)
        entryCount = try json.optionalCount("entry_count", limit: 1 << 24).map(UInt32.init)
        partitions = []
        for partition in try reading({ () throws(FormatError) in try json.array("partitions", limit: DiskLayoutLimits.partitionCountMax) }) {
            partitions.append(try DiskPartition(partition))
        }
    }
}

extension DiskPartition {
    var json: JSONValue {
        [
            "number": .count(number),
            "offset": .count(range.lowerBound),
            "byte_count": .count(range.upperBound - range.lowerBound),
            "type": .string(type),
            "id": .string(id),
            "name": .string(name),
            // As text: all 64 bits have a meaning, and JSON's integers end at 63.
            "attributes": .string("0x" + String(attributes, radix: 16)),
            "role": .text(role?.rawValue),
        ]
    }

    init(_ json: JSONValue) throws(DiskLayoutError) {
        number = UInt32(try json.boundedCount("number", limit: 1 << 24))
        range = try json.byteRange()
        type = try json.boundedText("type")
        id = try json.boundedText("id")
        name = try json.boundedText("name")
        let attributes = try json.boundedText("attributes")
        guard attributes.hasPrefix("0x"), let bits = UInt64(attributes.dropFirst(2), radix: 16) else { throw .outOfBounds("attributes") }
        self.attributes = bits
        role = nil
        if let text = try json.optionalBoundedText("role") {
            guard let role = Role(rawValue: text) else { throw .outOfBounds("role") }
            self.role = role
        }
    }
}
