/// What can be wrong with bytes that claim to follow a layout.
public enum DecodingError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The bytes end before the field does.
    case truncated(field: String)
    /// Bytes are left over after the last field.
    case trailing(byteCount: Int)
    /// A value or count is outside what the format allows.
    case outOfBounds(field: String)
    /// A value is of the right size but has no meaning here.
    case invalid(field: String)

    public var description: String {
        switch self {
        case .truncated(let field): "it ends within \(field)"
        case .trailing(let byteCount): "\(byteCount) bytes follow its end"
        case .outOfBounds(let field): "\(field) is out of bounds"
        case .invalid(let field): "\(field) is not valid"
        }
    }
}

/// Reads little-endian fields one after another and never beyond the end.
public struct ByteReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    public private(set) var position: Int

    public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    public var remainingByteCount: Int { bytes.endIndex - position }

    /// The next `byteCount` bytes, sharing storage with the source.
    public mutating func read(byteCount: Int, _ field: String) throws(DecodingError) -> ArraySlice<UInt8> {
        guard byteCount >= 0, byteCount <= remainingByteCount else { throw .truncated(field: field) }
        defer { position += byteCount }
        return bytes[position..<position + byteCount]
    }

    public mutating func readUInt8(_ field: String) throws(DecodingError) -> UInt8 {
        try read(byteCount: 1, field).first!
    }

    public mutating func readUInt16(_ field: String) throws(DecodingError) -> UInt16 {
        UInt16(try readLittleEndian(byteCount: 2, field))
    }

    public mutating func readUInt32(_ field: String) throws(DecodingError) -> UInt32 {
        UInt32(try readLittleEndian(byteCount: 4, field))
    }

    public mutating func readUInt64(_ field: String) throws(DecodingError) -> UInt64 {
        try readLittleEndian(byteCount: 8, field)
    }

    public mutating func readDigest(_ field: String) throws(DecodingError) -> Digest {
        Digest(try read(byteCount: Digest.byteCount, field))
    }

    public mutating func readRandomID(_ field: String) throws(DecodingError) -> RandomID {
        RandomID(try read(byteCount: RandomID.byteCount, field))
    }

    /// A count that must not exceed `limit` and whose items, at `itemByteCount` each, must still fit in what is left.
    ///
    /// Checked before anything is allocated for the items.
    public mutating func readCount(limit: Int, itemByteCount: Int, _ field: String) throws(DecodingError) -> Int {
        let count = Int(try readUInt32(field))
        guard count <= limit else { throw .outOfBounds(field: field) }
        guard count * itemByteCount <= remainingByteCount else { throw .truncated(field: field) }
        return count
    }

    /// - Throws: `.trailing` unless everything was read.
    public func finish() throws(DecodingError) {
        guard remainingByteCount == 0 else { throw .trailing(byteCount: remainingByteCount) }
    }

    private mutating func readLittleEndian(byteCount: Int, _ field: String) throws(DecodingError) -> UInt64 {
        var value: UInt64 = 0
        for (index, byte) in try read(byteCount: byteCount, field).enumerated() { value |= UInt64(byte) << UInt64(8 * index) }
        return value
    }
}
