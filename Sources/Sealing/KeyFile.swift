import Bytes
import CSodium

/// A 32-byte secret that opens a slot instead of a password: as a line of text, or as 24 words to be kept on paper.
///
/// Section: Specs/format/keys.md, “Key files and recovery words”.
public struct KeyFile: Sendable {
    private static let prefix = "HOLDFAST-KEY-1:"
    private static let secretByteCount = 32

    public let secret: SecretBytes

    private init(secret: SecretBytes) { self.secret = secret }

    public static func random() -> KeyFile { KeyFile(secret: .random(byteCount: secretByteCount)) }

    /// Reads the line or the words, in any case and spacing, and wipes `text`.
    public init(parsing text: inout [UInt8]) throws(SealingError) {
        defer { text.wipe() }
        guard text.count <= 4096 else { throw .badKeyFile(reason: "it is too long") }
        // Letters are compared without regard to case; everything stays in bytes that can be wiped.
        var lower = text.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        defer { lower.wipe() }
        let words = lower.split { $0 == 0x20 || (0x09...0x0D).contains($0) }
        if words.count == 1, words[0].starts(with: KeyFile.prefix.lowercased().utf8) {
            secret = try KeyFile.secret(line: words[0].dropFirst(KeyFile.prefix.utf8.count))
        } else if words.count == 24 {
            secret = try KeyFile.secret(words: words)
        } else {
            throw .badKeyFile(reason: "neither a line \(KeyFile.prefix)… nor 24 words")
        }
    }

    /// The line of a key file, without a line end. The caller wipes it.
    public var line: [UInt8] {
        unsafe secret.withBytes { bytes in
            let check = unsafe ObjectDigest.of(Array(bytes)).bytes.prefix(4)
            return unsafe Array("\(KeyFile.prefix)\(Hexadecimal.encode(bytes).uppercased()):\(Hexadecimal.encode(check).uppercased())".utf8)
        }
    }

    /// The 24 words of the BIP-39 mnemonic.
    public var words: [String] {
        unsafe secret.withBytes { bytes in
            let bits = unsafe Array(bytes) + [ObjectDigest.of(Array(bytes)).bytes[0]]
            return (0..<24).map { word in
                var index = 0
                for bit in word * 11..<(word + 1) * 11 { index = index << 1 | Int(bits[bit / 8] >> UInt8(7 - bit % 8) & 1) }
                return String(recoveryWordList[index])
            }
        }
    }

    private static func secret(line: ArraySlice<UInt8>) throws(SealingError) -> SecretBytes {
        let parts = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, var bytes = Hexadecimal.decode(String(decoding: parts[0], as: UTF8.self)), bytes.count == secretByteCount,
            let check = Hexadecimal.decode(String(decoding: parts[1], as: UTF8.self))
        else { throw .badKeyFile(reason: "the line is not complete") }
        guard ObjectDigest.of(bytes).bytes.prefix(4).elementsEqual(check) else {
            bytes.wipe()
            throw .badKeyFile(reason: "a digit is wrong: the check digits do not fit")
        }
        return .moving(&bytes)
    }

    private static func secret(words: [ArraySlice<UInt8>]) throws(SealingError) -> SecretBytes {
        var bits = [UInt8](repeating: 0, count: secretByteCount + 1)
        defer { bits.wipe() }
        for (position, word) in words.enumerated() {
            guard let index = recoveryWordList.firstIndex(where: { $0.utf8.elementsEqual(word) }) else {
                throw .badKeyFile(reason: "word \(position + 1) is not a recovery word")
            }
            for bit in 0..<11 where index >> (10 - bit) & 1 == 1 {
                let place = position * 11 + bit
                bits[place / 8] |= 1 << UInt8(7 - place % 8)
            }
        }
        var bytes = Array(bits.prefix(secretByteCount))
        guard ObjectDigest.of(bytes).bytes[0] == bits[secretByteCount] else {
            bytes.wipe()
            throw .badKeyFile(reason: "a word is wrong or stands in the wrong place: the words do not fit each other")
        }
        return .moving(&bytes)
    }
}
