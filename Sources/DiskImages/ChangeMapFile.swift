import Glibc

/// What is wrong with a file of ranges.
public struct ChangeMapFileError: Error, Equatable, CustomStringConvertible {
    /// From 1 on.
    public var line: Int
    public var reason: String

    public var description: String { "line \(line): \(reason)" }
}

/// A file that says what changed in an image: one range a line, `OFFSET BYTE_COUNT data|zero|same`, as in a map of borg, and in comments whose it is and since when.
public struct ChangeMapFile: Equatable, Sendable {
    public private(set) var map = ChangeMap()
    /// `# source: TEXT`, `# from: TEXT` and `# to: TEXT`.
    public private(set) var source: String?
    public private(set) var from: String?
    public private(set) var to: String?

    private static let lineByteCountMax = 4096
    private var line = 0

    /// Decodes a whole file.
    public init(_ bytes: some Sequence<UInt8>) throws(ChangeMapFileError) {
        var text: [UInt8] = []
        for byte in bytes {
            guard byte != UInt8(ascii: "\n") else {
                try take(text)
                text.removeAll(keepingCapacity: true)
                continue
            }
            text.append(byte)
            if text.count > ChangeMapFile.lineByteCountMax { throw ChangeMapFileError(line: line + 1, reason: "it is longer than \(ChangeMapFile.lineByteCountMax) bytes") }
        }
        if !text.isEmpty { try take(text) }
    }

    /// Reads a file.
    ///
    /// - Throws: ImageError of the file, ChangeMapFileError of its content.
    public init(path: String) throws {
        let file: FileDescriptor
        do throws(SystemError) { file = try FileDescriptor(opening: path, flags: O_RDONLY) } catch { throw error.image(path, "open") }
        let stream = DescriptorStream(number: file.number, name: path)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            var span = piece.mutableSpan
            let count = try stream.read(into: &span)
            bytes += piece[..<count]
            guard count == piece.count else { break }
        }
        try self.init(bytes)
    }

    private mutating func take(_ bytes: [UInt8]) throws(ChangeMapFileError) {
        line += 1
        guard let text = String(validating: bytes, as: UTF8.self) else { throw ChangeMapFileError(line: line, reason: "it is not UTF-8") }
        let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let words = parts[0].split { $0 == " " || $0 == "\t" || $0 == "\r" }
        if words.isEmpty {
            if parts.count > 1 { note(parts[1]) }
            return
        }
        guard words.count == 3, let offset = ChangeMapFile.number(words[0]), let byteCount = ChangeMapFile.number(words[1]), let kind = ChangeMap.Kind(rawValue: String(words[2]))
        else { throw ChangeMapFileError(line: line, reason: "it is not of the form OFFSET BYTE_COUNT data|zero|same") }
        guard offset == map.byteCount else { throw ChangeMapFileError(line: line, reason: "its range begins at \(offset), and the one before it ends at \(map.byteCount)") }
        guard byteCount > 0, byteCount <= 1 << 62 - offset else { throw ChangeMapFileError(line: line, reason: "a range of \(byteCount) bytes") }
        map.append(kind, byteCount: byteCount)
    }

    /// Whose it is; other comments are for people.
    private mutating func note(_ comment: Substring) {
        let parts = comment.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let value = ChangeMapFile.trimmed(parts[1]) else { return }
        switch ChangeMapFile.trimmed(parts[0]) {
        case "source": source = value
        case "from": from = value
        case "to": to = value
        default: return
        }
    }

    private static func trimmed(_ text: Substring) -> String? {
        var rest = text
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest.isEmpty ? nil : String(rest)
    }

    /// Decimal, or hexadecimal after `0x`.
    private static func number(_ word: Substring) -> UInt64? {
        guard word.first?.isNumber == true else { return nil }
        return word.hasPrefix("0x") || word.hasPrefix("0X") ? UInt64(word.dropFirst(2), radix: 16) : UInt64(word)
    }
}
