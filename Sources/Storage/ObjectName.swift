public import Bytes

/// The kinds of object, which are also the folders of a repository. Section: Specs/format/objects.md.
public enum ObjectKind: String, CaseIterable, Sendable {
    case config
    case keyring
    case keys
    case packs
    case maps
    case index
    case snapshots
    case marks
    case sessions
    case condemned
    case verified
    /// Damaged objects that a repair took away, as they were.
    case quarantine

    /// `config` is a single object; every other kind is a folder of them.
    public var isFolder: Bool { self != .config }

    /// Packs are spread over 256 folders named by the first byte of their digest.
    public var isFannedOut: Bool { self == .packs || self == .maps }
}

/// The full name of an object: its kind and, below it, a leaf of lower-case letters, digits and dots.
public struct ObjectName: Hashable, Sendable, CustomStringConvertible {
    public let kind: ObjectKind
    /// Empty for `config`.
    public let leaf: String

    /// The immutable root of a repository.
    public static let config = ObjectName(kind: .config, leaf: "")

    /// - Precondition: `leaf` is a legal leaf of that kind; see `init(validating:leaf:)` for names from outside.
    public init(_ kind: ObjectKind, _ leaf: String) {
        guard let name = ObjectName(validating: kind, leaf: leaf) else { preconditionFailure("illegal object name \(kind)/\(leaf)") }
        self = name
    }

    /// Nil unless `leaf` has 1 to 128 of the characters a–z, 0–9 and `.`, begins with none of the dots, and, for packs, is a digest.
    public init?(validating kind: ObjectKind, leaf: String) {
        let characters = leaf.utf8
        guard kind.isFolder, (1...128).contains(characters.count), characters.first != UInt8(ascii: ".") else { return nil }
        let legal = characters.allSatisfy { character in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) || character == UInt8(ascii: ".")
        }
        guard legal, !kind.isFannedOut || Digest(hexadecimal: leaf) != nil else { return nil }
        self.init(kind: kind, leaf: leaf)
    }

    /// The name that a path below the repository's root stands for, or nil if it is not an object's.
    public init?(path: some StringProtocol) {
        if path == ObjectKind.config.rawValue {
            self = .config
            return
        }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let last = parts.last, let kind = ObjectKind(rawValue: String(first)) else { return nil }
        guard parts.count == (kind.isFannedOut ? 3 : 2), let name = ObjectName(validating: kind, leaf: String(last)) else { return nil }
        guard !kind.isFannedOut || parts[1] == last.prefix(2) else { return nil }
        self = name
    }

    private init(kind: ObjectKind, leaf: String) {
        self.kind = kind
        self.leaf = leaf
    }

    /// Relative to the repository's root, with `/` between the parts.
    public var path: String {
        if !kind.isFolder { return kind.rawValue }
        return kind.isFannedOut ? "\(kind.rawValue)/\(leaf.prefix(2))/\(leaf)" : "\(kind.rawValue)/\(leaf)"
    }

    public var description: String { path }

    public static func pack(_ id: PackID) -> ObjectName { ObjectName(.packs, id.hexadecimal) }
    public static func mapPack(_ id: PackID) -> ObjectName { ObjectName(.maps, id.hexadecimal) }
    public static func index(_ id: IndexID) -> ObjectName { ObjectName(.index, id.hexadecimal) }
    public static func keyring(_ number: UInt64) -> ObjectName { ObjectName(.keyring, String(number)) }
    public static func key(_ id: SlotID) -> ObjectName { ObjectName(.keys, id.hexadecimal) }
    public static func snapshot(_ id: SnapshotID) -> ObjectName { ObjectName(.snapshots, id.hexadecimal) }
    public static func session(_ id: SessionID) -> ObjectName { ObjectName(.sessions, id.hexadecimal) }
    public static func heartbeat(_ id: SessionID, _ number: UInt64) -> ObjectName { ObjectName(.sessions, "\(id.hexadecimal).\(number)") }
    public static func condemned(_ id: RandomID) -> ObjectName { ObjectName(.condemned, id.hexadecimal) }
    public static func verdict(_ id: RandomID) -> ObjectName { ObjectName(.condemned, "\(id.hexadecimal).verdict") }
    public static func awaitedSessions(_ list: RandomID) -> ObjectName { ObjectName(.condemned, "\(list.hexadecimal).sessions") }
    /// Where a damaged object is kept, told apart by its bytes: what is damaged twice is kept twice.
    public static func quarantined(_ name: ObjectName, _ bytes: Digest) -> ObjectName {
        ObjectName(.quarantine, "\(name.kind.rawValue).\(name.leaf).\(bytes.hexadecimal.prefix(16))")
    }
    public static func mark(_ id: SnapshotID, _ number: UInt64) -> ObjectName { ObjectName(.marks, "\(id.hexadecimal).\(number)") }
}

/// What a listing or `stat` says of an object.
public struct ObjectInfo: Hashable, Sendable {
    public let name: ObjectName
    public let byteCount: UInt64

    public init(name: ObjectName, byteCount: UInt64) {
        self.name = name
        self.byteCount = byteCount
    }
}
