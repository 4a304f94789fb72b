import Bytes
import Sealing
import Testing

struct RecoveryWordsTests {
    private static func parse(_ text: String) throws -> KeyFile {
        var text = Array(text.utf8)
        return try KeyFile(parsing: &text)
    }

    private static func keyFile(_ hexadecimal: String) throws -> KeyFile {
        let check = ObjectDigest.of(bytes(hexadecimal)).hexadecimal.prefix(8)
        return try parse("HOLDFAST-KEY-1:\(hexadecimal.uppercased()):\(check.uppercased())")
    }

    /// The vectors of BIP-39 with 256 bits.
    static let vectors: [(String, String)] = [
        (String(repeating: "00", count: 32), String(repeating: "abandon ", count: 23) + "art"),
        (
            String(repeating: "7f", count: 32),
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title"
        ),
        (
            String(repeating: "80", count: 32),
            "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless"
        ),
        (String(repeating: "ff", count: 32), String(repeating: "zoo ", count: 23) + "vote"),
        (
            "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
            "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length"
        ),
        (
            "9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
            "panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich alcohol speed nation flash devote level hobby quick inner drive ghost inside"
        ),
        (
            "066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
            "all hour make first leader extend hole alien behind guard gospel lava path output census museum junior mass reopen famous sing advance salt reform"
        ),
        (
            "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
            "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group space point ten exist slush involve unfold"
        ),
    ]

    @Test(arguments: vectors) func `the words are those of BIP-39`(secret: String, words: String) throws {
        #expect(try Self.keyFile(secret).words.joined(separator: " ") == words)
        #expect(try Self.parse(words).secret.hexadecimal == secret)
        #expect(try Self.parse("  " + words.uppercased().replacing(" ", with: "\r\n\t") + "\n").secret.hexadecimal == secret)
    }

    @Test func `words that changed places are refused`() throws {
        for (secret, words) in Self.vectors.dropFirst(4) {
            let list = words.split(separator: " ")
            var refused = 0
            for first in list.indices {
                for second in [first + 1, first + 7] where second < list.count {
                    var swapped = list
                    swapped.swapAt(first, second)
                    // 8 bits of check: one exchange in 256 fits, and then opens nothing.
                    if let found = try? Self.parse(swapped.joined(separator: " ")) { #expect(found.secret.hexadecimal != secret) } else { refused += 1 }
                }
            }
            #expect(refused > 35)
        }
    }

    @Test(arguments: ["", "abandon", String(repeating: "abandon ", count: 24), String(repeating: "abandon ", count: 22) + "art", String(repeating: "abandon ", count: 24) + "art",
        String(repeating: "abandon ", count: 22) + "abandonn art", String(repeating: "abandon ", count: 22) + "aband art", "é " + String(repeating: "abandon ", count: 23)])
    func `other words are refused`(text: String) {
        #expect(throws: SealingError.self) { try Self.parse(text) }
    }

    @Test func `a key line is read in any case, and each of its digits counts`() throws {
        let secret = String(repeating: "5a", count: 32)
        let file = try Self.keyFile(secret)
        let line = String(decoding: file.line, as: UTF8.self)
        #expect(line.count == 15 + 64 + 1 + 8)
        #expect(try Self.parse(line.lowercased() + "\r\n").secret.hexadecimal == secret)
        for index in 15..<line.utf8.count {
            var changed = file.line
            changed[index] = changed[index] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
            #expect(throws: SealingError.self) { try KeyFile(parsing: &changed) }
        }
        for byteCount in 0..<line.utf8.count {
            var short = Array(file.line.prefix(byteCount))
            #expect(throws: SealingError.self) { try KeyFile(parsing: &short) }
        }
    }

    @Test func `the text is wiped, whether it is a key or not`() {
        for text in ["HOLDFAST-KEY-1:00", Self.vectors[4].1, String(repeating: "x", count: 5000)] {
            var bytes = Array(text.utf8)
            _ = try? KeyFile(parsing: &bytes)
            #expect(bytes.allSatisfy { $0 == 0 })
        }
    }
}

struct SecretBytesTests {
    private enum Trouble: Error { case expected }

    @Test func `bytes that move into a secret are wiped where they were`() {
        var bytes = counting()
        let secret = SecretBytes.moving(&bytes)
        #expect(bytes == [UInt8](repeating: 0, count: 32))
        #expect(secret.hexadecimal == Hexadecimal.encode(counting()))
    }

    @Test func `an array is wiped in place`() {
        var bytes = counting()
        bytes.wipe()
        #expect(bytes == [UInt8](repeating: 0, count: 32))
        var none: [UInt8] = []
        none.wipe()
        #expect(none == [])
    }

    @Test func `an error while it is filled comes through`() {
        #expect(throws: Trouble.self) { unsafe try SecretBytes(byteCount: 32) { _ throws(Trouble) in throw .expected } }
    }

    @Test func `two random secrets differ, and an empty one is legal`() {
        #expect(SecretBytes.random(byteCount: 32).hexadecimal != SecretBytes.random(byteCount: 32).hexadecimal)
        var none: [UInt8] = []
        #expect(SecretBytes.moving(&none).byteCount == 0)
    }
}
