import CSodium
import Foundation
import TestSupport
import Testing

@testable import Chunking

/// Holds `Specs/format/chunking.md` to what the code does.
struct ChunkingSpecificationTests {
    private let key = [UInt8](0..<32)

    /// The lines between the fence after `mark` and the next one.
    private func example(_ mark: String) throws -> [String] {
        let page = URL(fileURLWithPath: #filePath).appending(path: "../../../Specs/format/chunking.md").standardized
        let lines = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "\n")
        let start = try #require(lines.firstIndex(of: "```\(mark)"), "the page has this example")
        return Array(lines[(start + 1)...].prefix { $0 != "```" })
    }

    private func tableBytes() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: GearTable.byteCount)
        unsafe randombytes_buf_deterministic(&bytes, bytes.count, key)
        return bytes
    }

    /// The band that the page describes.
    private func band() -> [UInt8] {
        var generator = SeededGenerator(seed: 1)
        var bytes = generator.bytes(1_000_000)
        bytes.replaceSubrange(300_000..<320_000, with: [UInt8](repeating: 0, count: 20_000))
        bytes.replaceSubrange(500_000..<700_000, with: [UInt8](repeating: 0x55, count: 200_000))
        bytes.replaceSubrange(999_000..<1_000_000, with: [UInt8](repeating: 0, count: 1_000))
        return bytes
    }

    @Test func `a plain ChaCha20 gives the table that libsodium gives`() {
        let keystream = ChaCha20.keystream(key: key, nonce: Array("LibsodiumDRG".utf8), byteCount: GearTable.byteCount)
        #expect(keystream == tableBytes())
    }

    @Test func `the specification's table is the one derived`() throws {
        let table = GearTable(tableBytes().span)
        let found = [0, 1, 2, 255].map { index in
            let digits = String(table.words[index], radix: 16)
            return "\(index) 0x" + String(repeating: "0", count: 16 - digits.count) + digits
        }
        #expect(try example("table") == found)
    }

    @Test func `the specification's band has the pieces found`() throws {
        let bytes = band()
        let table = GearTable(tableBytes().span)
        let found = pieces(of: bytes, table: table, parameters: .standard).map { piece in
            switch piece {
            case .zero(let range): "zero \(range.lowerBound) \(range.count)"
            case .data(let range): "data \(range.lowerBound) \(range.count)"
            }
        }
        #expect(try example("pieces") == found)
    }

    @Test func `the specification's parameters are the code's`() throws {
        let found = try [16, 32, 64, 128, 256, 512, 1024].map { kibibytes in
            let parameters = try ChunkerParameters(averageByteCount: kibibytes * 1024)
            return "\(parameters.averageByteCount) \(parameters.minimumByteCount) \(parameters.maximumByteCount) "
                + "0x" + String(parameters.threshold, radix: 16)
        }
        #expect(try example("parameters") == found)
    }
}
