import Bytes
import RepositoryFormat
import TestSupport
import Testing

struct JSONTests {
    private static func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    @Test func `values of all kinds are read`() throws {
        let value = try Self.parse(" {\"a\" : [ null , true , false , -12 , 1.5e3 , \"x\" ] , \"\" : { } }\r\n\t")
        #expect(value == ["a": [.null, true, false, .integer(-12), .otherNumber("1.5e3"), "x"], "": .object([])])
        #expect(value.text == #"{"a":[null,true,false,-12,1.5e3,"x"],"":{}}"#)
    }

    @Test func `32 levels are read, 33 are not`() throws {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = { (levels: Int) in String(repeating: open, count: levels) + "1" + String(repeating: close, count: levels) }
            _ = try Self.parse(deep(32))
            #expect(throws: FormatError.self) { try Self.parse(deep(33)) }
        }
        _ = try Self.parse(String(repeating: "[", count: 32) + String(repeating: "]", count: 32))
        #expect(throws: FormatError.self) { try Self.parse(String(repeating: "[", count: 33) + String(repeating: "]", count: 33)) }
    }

    @Test func `endless nesting ends at the limit and not with the stack`() {
        #expect(throws: FormatError.json(reason: "it is nested too deeply", position: 32)) { try JSONValue(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 4 << 20)) }
    }

    @Test func `a member that occurs twice is refused, however it is spelled`() throws {
        #expect(throws: FormatError.self) { try Self.parse(#"{"a":1,"a":1}"#) }
        #expect(throws: FormatError.self) { try Self.parse(#"{"a":1,"\u0061":2}"#) }
        _ = try Self.parse(#"[{"a":1},{"a":1}]"#)
    }

    @Test func `member names are compared as bytes`() throws {
        // The same letter, composed and decomposed: equal strings of Swift, different names of JSON.
        guard case .object(let members) = try Self.parse("{\"\u{E9}\":1,\"e\u{301}\":2}") else { return #expect(Bool(false)) }
        #expect(members.count == 2)
    }

    @Test func `integers are exact up to 2^63 − 1`() throws {
        #expect(try Self.parse("9223372036854775807") == .integer(.max))
        #expect(try Self.parse("9007199254740993") == .integer(9_007_199_254_740_993))
        #expect(try Self.parse("-9223372036854775808") == .integer(.min))
        #expect(try Self.parse("9223372036854775808") == .otherNumber("9223372036854775808"))
        let document = try Self.parse(#"{"big":9223372036854775808,"negative":-1,"fraction":1.0,"exponent":1e2,"text":"1","most":9223372036854775807}"#)
        for name in ["big", "negative", "fraction", "exponent", "text", "missing"] {
            #expect(throws: FormatError.member(name)) { try document.count(name, limit: .max) }
        }
        #expect(try document.count("most", limit: .max) == UInt64(Int64.max))
        #expect(throws: FormatError.member("most")) { try document.count("most", limit: 1 << 56) }
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "[1 2]", "nul", "nulll", "True", "NaN", "Infinity", "01",
        "-", "-01", "+1", ".5", "1.", "1e", "1e+", "0x1", "'a'", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\\u-000\"",
        "1 1", "{} x", "[]]", "// a\n1", "\u{FEFF}1",
    ]) func `what is not JSON is refused`(text: String) {
        #expect(throws: FormatError.self) { try Self.parse(text) }
    }

    @Test func `escapes are read`() throws {
        #expect(try Self.parse(#""\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00""#) == .string("\"\\/\u{8}\u{C}\n\r\té€😀"))
        #expect(try Self.parse(#""\u0000""#) == .string("\u{0}"))
    }

    @Test(arguments: [#""\ud83d""#, #""\ud83dx""#, #""\ud83d\n""#, #""\ud83d\u0041""#, #""\ude00""#, #""\ude00\ud83d""#, #""\ud83d\ud83d""#])
    func `half a surrogate pair is refused`(text: String) {
        #expect(throws: FormatError.self) { try Self.parse(text) }
    }

    @Test func `control characters are refused where they stand, and written as escapes`() throws {
        for byte in UInt8(0)..<0x20 {
            #expect(throws: FormatError.self) { try JSONValue(parsing: [0x22, byte, 0x22]) }
            let value = JSONValue.string(String(decoding: [byte], as: UTF8.self))
            #expect(value.text == "\"\\u00\(Hexadecimal.encode([byte]))\"")
            #expect(try JSONValue(parsing: value.encoded) == value)
        }
        #expect(try JSONValue(parsing: [0x22, 0x7F, 0x22]) == .string("\u{7F}"))
    }

    @Test(arguments: [[0xFF], [0xC0, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80]] as [[UInt8]])
    func `what is not UTF-8 is refused`(bytes: [UInt8]) {
        #expect(throws: FormatError.self) { try JSONValue(parsing: [0x22] + bytes + [0x22]) }
        #expect(throws: FormatError.self) { try JSONValue(parsing: Array("{\"".utf8) + bytes + Array("\":1}".utf8)) }
        #expect(throws: FormatError.self) { try JSONValue(parsing: bytes) }
    }

    @Test(arguments: 1...30 as ClosedRange<UInt64>) func `any value that is written is read again`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let value = Self.random(&generator, depth: 0)
        #expect(try JSONValue(parsing: value.encoded) == value)
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>) func `noise is refused without a trap`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("{}[]\",:\\u0019eE+-. \nabtrufnlse".utf8) + [0xC3, 0xA9, 0xFF]
        var refused = 0
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 1...40, using: &generator)).map { _ in alphabet.randomElement(using: &generator)! }
            if (try? JSONValue(parsing: bytes)) == nil { refused += 1 }
        }
        #expect(refused > 1000, "seed \(seed)")
    }

    private static func random(_ generator: inout SeededGenerator, depth: Int) -> JSONValue {
        let text = { (generator: inout SeededGenerator) in
            String(String.UnicodeScalarView((0..<Int.random(in: 0...6, using: &generator)).map { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &generator)) ?? "\u{2028}"
            }))
        }
        switch Int.random(in: 0...(depth < 6 ? 6 : 4), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .integer(Int64.random(in: .min ... .max, using: &generator))
        case 3: return .otherNumber("-1.25E-7")
        case 4: return .string(text(&generator))
        case 5: return .array((0..<Int.random(in: 0...4, using: &generator)).map { _ in random(&generator, depth: depth + 1) })
        default:
            return .object((0..<Int.random(in: 0...4, using: &generator)).map { .init("\($0)" + text(&generator), random(&generator, depth: depth + 1)) })
        }
    }
}
