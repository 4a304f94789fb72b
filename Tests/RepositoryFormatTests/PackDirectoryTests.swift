import Bytes
import RepositoryFormat
import Testing

struct PackDirectoryTests {
    private static func refusal(_ kind: PackDirectory.Kind = .data, _ change: (inout PackDirectory) -> Void) -> FormatError? {
        var samples = Samples(seed: 5)
        var directory = samples.directory(kind)
        change(&directory)
        do throws(FormatError) {
            _ = try PackDirectory(decoding: directory.encoded[...])
            return nil
        } catch { return error }
    }

    @Test func `the unchanged sample is taken`() {
        #expect(Self.refusal { _ in } == nil)
        #expect(Self.refusal(.map) { _ in } == nil)
    }

    @Test func `a gap, an overlap, or a first segment elsewhere is refused`() {
        let wrong = FormatError.layout(.outOfBounds(field: "segment offset"))
        #expect(Self.refusal { $0.segments[0].offset = 49 } == wrong)
        #expect(Self.refusal { $0.segments[0].offset = 0 } == wrong)
        #expect(Self.refusal { $0.segments[1].offset += 1 } == wrong)
        #expect(Self.refusal { $0.segments[2].offset += 1 } == wrong)
        #expect(Self.refusal { $0.segments[2].offset -= 1 } == wrong)
        #expect(Self.refusal { $0.segments.swapAt(1, 2) } == wrong)
        #expect(Self.refusal { $0.packByteCount = 200 } == wrong)
    }

    @Test func `a key has at least one recipient, at most 64, and none twice`() {
        let outOfBounds = FormatError.layout(.outOfBounds(field: "recipient count"))
        let recipient = PackDirectory.Key.Recipient(id: RandomID([UInt8](repeating: 1, count: 16)), sealedKey: [UInt8](repeating: 2, count: 80))
        #expect(Self.refusal { $0.keys[0].recipients = [] } == outOfBounds)
        #expect(Self.refusal { $0.keys[0].recipients = [recipient, recipient] } == .layout(.invalid(field: "recipient id")))
        let many = (0..<65).map { PackDirectory.Key.Recipient(id: RandomID([UInt8](repeating: UInt8($0), count: 16)), sealedKey: recipient.sealedKey) }
        #expect(Self.refusal { $0.keys[0].recipients = many } == outOfBounds)
        #expect(Self.refusal { $0.keys[0].recipients = many.dropLast() } == nil)
    }

    @Test func `a map pack has no keys, and a data segment a key of the table`() {
        var samples = Samples(seed: 6)
        let keys = samples.directory(.data).keys
        #expect(Self.refusal(.map) { $0.keys = keys } == .layout(.invalid(field: "key count")))
        #expect(Self.refusal { $0.segments[0].keyIndex = 2 } == .layout(.invalid(field: "key index")))
        #expect(Self.refusal { $0.segments[0].keyIndex = 255 } == .layout(.invalid(field: "key index")))
        #expect(Self.refusal(.map) { $0.segments[0].keyIndex = 0 } == .layout(.invalid(field: "key index")))
    }

    @Test func `padding that is more or less than due is refused`() {
        let wrong = FormatError.layout(.invalid(field: "sealed byte count"))
        #expect(Self.refusal { $0.segments[2].sealedByteCount += 1 } == wrong)
        #expect(Self.refusal { $0.segments[2].sealedByteCount += 16 << 10 } == wrong)
        #expect(Self.refusal { $0.segments[2].encodedByteCount = $0.segments[2].sealedByteCount - 47 } == .layout(.outOfBounds(field: "sealed byte count")))
    }

    @Test func `chunks fill their segment exactly, and none is empty or too large`() {
        #expect(Self.refusal { $0.segments[0].chunks[0].byteCount += 1 } == .layout(.invalid(field: "sum of chunk byte counts")))
        #expect(Self.refusal { $0.segments[0].chunks[0].byteCount = 0 } == .layout(.outOfBounds(field: "chunk byte count")))
        #expect(Self.refusal { $0.segments[0].chunks[0].byteCount = 4 << 20 | 1 } == .layout(.outOfBounds(field: "chunk byte count")))
        #expect(Self.refusal { $0.segments[0].chunks = [] } != nil)
    }

    @Test func `epochs begin at 1`() {
        #expect(Self.refusal { $0.epoch = 0 } == .layout(.invalid(field: "member epoch")))
        #expect(Self.refusal { $0.epoch = 2 } == nil)
    }

    @Test func `a raw segment is as long encoded as decoded`() {
        #expect(Self.refusal { $0.segments[0].codec = .raw } == .layout(.invalid(field: "encoded byte count")))
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>) func `directories of all shapes come back`(seed: UInt64) throws {
        var samples = Samples(seed: seed)
        let kind: PackDirectory.Kind = seed % 2 == 0 ? .data : .map
        let directory = samples.directory(kind, keyCount: samples.number(1...4), segmentCount: samples.number(0...20))
        #expect(try PackDirectory(decoding: directory.encoded[...]) == directory)
    }
}

struct PackLayoutTests {
    /// From the definition, with floating-point logarithms: Nikitin et al., PoPETs 2019.
    @Test(arguments: [(1, 1), (2, 2), (3, 3), (9, 10), (1023, 1024), (1025, 1088), (65_536, 65_536), (65_537, 67_584), (1_000_001, 1_015_808), (33_554_433, 34_603_008)])
    func `Padmé sizes are those of the paper`(byteCount: Int, expected: Int) {
        #expect(PackLayout.padme(byteCount) == expected)
    }

    @Test func `Padmé adds at most an eighth and never changes what it made`() {
        for byteCount in Array(1...5000) + stride(from: 5001, through: 70_000_000, by: 99_991) {
            let padded = PackLayout.padme(byteCount)
            #expect(padded >= byteCount && padded - byteCount <= byteCount / 8 + 1)
            #expect(PackLayout.padme(padded) == padded)
        }
    }

    @Test func `small segments fill whole steps, others are not padded`() {
        #expect(PackLayout.paddedByteCount(encoded: 1, decoded: 1, chunkCount: 1) == 16_384 - 48)
        #expect(PackLayout.paddedByteCount(encoded: 16_384 - 48, decoded: 20_000, chunkCount: 1) == 16_384 - 48)
        #expect(PackLayout.paddedByteCount(encoded: 16_384 - 47, decoded: 20_000, chunkCount: 1) == 32_768 - 48)
        #expect(PackLayout.paddedByteCount(encoded: 5, decoded: 262_144, chunkCount: 4) == 5)
        #expect(PackLayout.paddedByteCount(encoded: 5, decoded: 262_143, chunkCount: 4) == 16_384 - 48)
        #expect(PackLayout.paddedByteCount(encoded: 5, decoded: 262_144, chunkCount: 3) == 16_384 - 48)
    }
}
