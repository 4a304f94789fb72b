import Bytes

/// Text in Markdown with named blocks of bytes, each row with what it means.
struct ExamplePage {
    /// Bytes a row; longer fields continue on the next.
    private static let rowByteCount = 32

    private(set) var text: String
    /// All bytes of each block.
    private(set) var blocks: [String: [UInt8]] = [:]

    init(title: String) { text = "# \(title)\n" }

    mutating func heading(_ title: String) { text += "\n## \(title)\n" }
    mutating func paragraph(_ words: String) { text += "\n\(words)\n" }

    /// A block of fields, one after another.
    mutating func bytes(_ name: String, _ fields: [(bytes: [UInt8], meaning: String)]) {
        text += "\n```bytes \(name)\n"
        for field in fields {
            for start in stride(from: 0, to: max(field.bytes.count, 1), by: ExamplePage.rowByteCount) {
                let row = Hexadecimal.encode(field.bytes[start..<min(start + ExamplePage.rowByteCount, field.bytes.count)])
                text += row + (start == 0 && !field.meaning.isEmpty ? (row.isEmpty ? "" : " ") + "# \(field.meaning)" : "") + "\n"
            }
        }
        text += "```\n"
        blocks[name] = fields.flatMap(\.bytes)
    }

    mutating func bytes(_ name: String, _ bytes: [UInt8], _ meaning: String = "") { self.bytes(name, [(bytes, meaning)]) }

    /// A block of one line of text.
    mutating func line(_ name: String, _ line: [UInt8]) {
        text += "\n```line \(name)\n\(String(decoding: line, as: UTF8.self))\n```\n"
        blocks[name] = line
    }
}
