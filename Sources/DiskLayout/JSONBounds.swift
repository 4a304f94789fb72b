import RepositoryFormat

// Members of documents that come from a process which may be under another's control.
extension JSONValue {
    static func optionalCount(_ value: UInt64?) -> JSONValue { value.map { .count($0) } ?? .null }

    func boundedCount(_ name: String, limit: UInt64) throws(DiskLayoutError) -> UInt64 {
        try reading { () throws(FormatError) in try count(name, limit: limit) }
    }

    func optionalCount(_ name: String, limit: UInt64) throws(DiskLayoutError) -> UInt64? {
        let value = try reading { () throws(FormatError) in try self.value(name) }
        return value == .null ? nil : try boundedCount(name, limit: limit)
    }

    func boundedText(_ name: String) throws(DiskLayoutError) -> String {
        guard let text = try optionalBoundedText(name) else { throw .format(.member(name)) }
        return text
    }

    /// Text that can be shown: of bounded length, and without control characters, which would speak to a terminal.
    func optionalBoundedText(_ name: String) throws(DiskLayoutError) -> String? {
        guard let text = try reading({ () throws(FormatError) in try optionalString(name) }) else { return nil }
        guard text == ShownText.clean(text) else { throw .outOfBounds(name) }
        return text
    }

    /// `offset` and `byte_count` of something on a disk.
    func byteRange() throws(DiskLayoutError) -> Range<UInt64> {
        let offset = try boundedCount("offset", limit: DiskLayoutLimits.diskByteCountMax)
        return offset..<offset + (try boundedCount("byte_count", limit: DiskLayoutLimits.diskByteCountMax))
    }
}
