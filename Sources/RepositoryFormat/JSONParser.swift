extension JSONValue {
    /// Parses exactly one value. Depth is limited, duplicate members and invalid UTF-8 are refused.
    public init(parsing bytes: some Collection<UInt8>) throws(FormatError) {
        var parser = JSONParser(Array(bytes))
        self = try parser.parseDocument()
    }
}

/// Recursive descent over RFC 8259.
private struct JSONParser {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func parseDocument() throws(FormatError) -> JSONValue {
        let value = try parseValue(depth: 0)
        skipWhitespace()
        guard position == bytes.count else { throw fault("something follows the value") }
        return value
    }

    private func fault(_ reason: String) -> FormatError { .json(reason: reason, position: position) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipWhitespace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func accept(_ character: UInt8) -> Bool {
        guard next == character else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: UInt8, _ reason: String) throws(FormatError) {
        guard accept(character) else { throw fault(reason) }
    }

    private mutating func parseValue(depth: Int) throws(FormatError) -> JSONValue {
        skipWhitespace()
        switch next {
        case UInt8(ascii: "{"): return try parseObject(depth: depth)
        case UInt8(ascii: "["): return try parseArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        default: return try parseNumber()
        }
    }

    private mutating func parseWord(_ word: String, _ value: JSONValue) throws(FormatError) -> JSONValue {
        for character in word.utf8 { try expect(character, "a value was expected") }
        return value
    }

    /// Steps into an object or array; the outermost is level 1.
    private mutating func descend(depth: Int) throws(FormatError) {
        guard depth < FormatLimits.jsonDepthMax else { throw fault("it is nested too deeply") }
        position += 1
    }

    private mutating func parseObject(depth: Int) throws(FormatError) -> JSONValue {
        try descend(depth: depth)
        var members: [JSONValue.Member] = []
        // Compared as bytes: strings of Swift are equal already if they look alike.
        var names: Set<[UInt8]> = []
        skipWhitespace()
        if accept(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipWhitespace()
            guard next == UInt8(ascii: "\"") else { throw fault("a member name was expected") }
            let name = try parseString()
            guard names.insert(Array(name.utf8)).inserted else { throw fault("a member occurs twice") }
            skipWhitespace()
            try expect(UInt8(ascii: ":"), "a colon was expected")
            members.append(.init(name, try parseValue(depth: depth + 1)))
            skipWhitespace()
        } while accept(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"), "the object does not end")
        return .object(members)
    }

    private mutating func parseArray(depth: Int) throws(FormatError) -> JSONValue {
        try descend(depth: depth)
        var values: [JSONValue] = []
        skipWhitespace()
        if accept(UInt8(ascii: "]")) { return .array(values) }
        repeat {
            values.append(try parseValue(depth: depth + 1))
            skipWhitespace()
        } while accept(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"), "the array does not end")
        return .array(values)
    }

    private mutating func parseNumber() throws(FormatError) -> JSONValue {
        let start = position
        _ = accept(UInt8(ascii: "-"))
        guard let first = next, isDigit(first) else { throw fault("a value was expected") }
        while let byte = next, isDigit(byte) { position += 1 }
        if first == UInt8(ascii: "0"), position - start > (bytes[start] == UInt8(ascii: "-") ? 2 : 1) { throw fault("a number has a leading zero") }
        var isInteger = true
        if accept(UInt8(ascii: ".")) {
            isInteger = false
            try skipDigits()
        }
        if accept(UInt8(ascii: "e")) || accept(UInt8(ascii: "E")) {
            isInteger = false
            if !accept(UInt8(ascii: "+")) { _ = accept(UInt8(ascii: "-")) }
            try skipDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        return .otherNumber(text)
    }

    private mutating func skipDigits() throws(FormatError) {
        guard let byte = next, isDigit(byte) else { throw fault("a digit was expected") }
        while let byte = next, isDigit(byte) { position += 1 }
    }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private mutating func parseString() throws(FormatError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw fault("a string is not UTF-8") }
                return string
            case UInt8(ascii: "\\"): text.append(contentsOf: try parseEscape())
            case 0..<0x20: throw fault("a control character stands in a string")
            default: text.append(byte)
            }
        }
        throw fault("a string does not end")
    }

    private mutating func parseEscape() throws(FormatError) -> [UInt8] {
        guard let escape = next else { throw fault("a string does not end") }
        position += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [escape]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return try parseUnicodeEscape()
        default: throw fault("an escape is not known")
        }
    }

    private mutating func parseUnicodeEscape() throws(FormatError) -> [UInt8] {
        var value = try parseFourDigits()
        if (0xD800..<0xDC00).contains(value) {
            guard accept(UInt8(ascii: "\\")), accept(UInt8(ascii: "u")) else { throw fault("half of a surrogate pair is missing") }
            let low = try parseFourDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw fault("half of a surrogate pair is missing") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw fault("an escape is no character") }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func parseFourDigits() throws(FormatError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = next.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else { throw fault("four hexadecimal digits were expected") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}
