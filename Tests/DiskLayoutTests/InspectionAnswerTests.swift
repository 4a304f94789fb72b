import RepositoryFormat
import TestSupport
import Testing

@testable import DiskLayout

struct InspectionAnswerTests {
    private static let mebibyte: UInt64 = 1 << 20
    private static let diskByteCount = 8 * mebibyte

    private static let fileSystem = FileSystemDescription(
        usage: .fileSystem, type: "ext4", version: "1.0", label: "root “1”", uuid: "3d0b0a5e-0000-4000-8000-000000000001", blockByteCount: 4096, usedByteCount: mebibyte)

    private static func label(_ ranges: [Range<UInt64>]) -> DiskLabel {
        DiskLabel(
            kind: .gpt, id: "A7B0C5A3-0000-4000-8000-000000000000", firstUsableSector: 34, lastUsableSector: 16350, entryCount: 128,
            partitions: ranges.enumerated().map { index, range in
                DiskPartition(
                    number: UInt32(index + 1), range: range, type: "0FC63DAF-8483-4772-8E79-3D69D8477DE4", id: "0000000\(index)-0000-4000-8000-000000000000",
                    name: "part \(index)", attributes: 1 << 63)
            })
    }

    private static func sample() throws -> InspectionAnswer {
        let layout = try DiskLayout(
            byteCount: diskByteCount, sectorByteCount: 512, label: label([mebibyte..<5 * mebibyte]),
            volumes: [
                DiskVolume(kind: .gap, range: 0..<mebibyte),
                DiskVolume(kind: .partition(1), range: mebibyte..<5 * mebibyte, fileSystem: fileSystem),
                DiskVolume(kind: .gap, range: 5 * mebibyte..<diskByteCount),
            ])
        var builder = FreeMapBuilder(volumeByteCount: 4 * mebibyte)
        for range: Range<UInt64> in [4096..<12288, 1_000_000..<1_100_000, 4_000_000..<4_194_304] { builder.require(range) }
        return InspectionAnswer(layout: layout, freeMaps: [nil, builder.finish(), FreeMap()], warnings: [.init(volume: 2, text: "a gap"), .init(volume: nil, text: "the disk")])
    }

    @Test func `an answer comes out as it went in`() throws {
        let answer = try Self.sample()
        #expect(try InspectionAnswer(decoding: answer.encoded, diskByteCount: Self.diskByteCount) == answer)
        #expect(answer.freeMaps[1]?.ranges == [4096..<12288, 1_003_520..<1_097_728, 4_001_792..<4_194_304])
    }

    @Test func `every answer that is cut off is refused, and so is one that goes on`() throws {
        let bytes = try Self.sample().encoded
        for byteCount in 0..<bytes.count {
            #expect(throws: DiskLayoutError.self) { try InspectionAnswer(decoding: Array(bytes[..<byteCount]), diskByteCount: Self.diskByteCount) }
        }
        #expect(throws: DiskLayoutError.truncated) { try InspectionAnswer(decoding: bytes + [0], diskByteCount: Self.diskByteCount) }
    }

    @Test func `an answer of another version or about another disk is refused`() throws {
        var bytes = try Self.sample().encoded
        #expect(throws: DiskLayoutError.outOfBounds("byte_count")) { try InspectionAnswer(decoding: bytes, diskByteCount: Self.diskByteCount + 512) }
        bytes[7] = UInt8(ascii: "2")
        #expect(throws: DiskLayoutError.anotherVersion) { try InspectionAnswer(decoding: bytes, diskByteCount: Self.diskByteCount) }
    }

    @Test func `an answer with changed bytes is refused or keeps every promise`() throws {
        let bytes = try Self.sample().encoded
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<3000 {
            var changed = bytes
            for _ in 0...Int.random(in: 0..<3, using: &generator) { changed[Int.random(in: 0..<changed.count, using: &generator)] = .random(in: 0...255, using: &generator) }
            guard let answer = try? InspectionAnswer(decoding: changed, diskByteCount: Self.diskByteCount) else { continue }
            for (volume, map) in zip(answer.layout.volumes, answer.freeMaps) {
                var end: UInt64 = 0
                for range in map?.ranges ?? [] {
                    #expect(range.lowerBound >= end && !range.isEmpty && range.lowerBound % 4096 == 0 && range.upperBound % 4096 == 0)
                    end = range.upperBound
                }
                #expect(end <= volume.byteCount)
            }
        }
    }

    @Test func `volumes must cover the disk and fit the label`() throws {
        let whole = 0..<Self.diskByteCount
        let half = 4 * Self.mebibyte
        let label = Self.label([half..<Self.diskByteCount])
        let refused: [(DiskLabel?, [DiskVolume])] = [
            (nil, []),
            (nil, [DiskVolume(kind: .whole, range: 0..<half)]),
            (nil, [DiskVolume(kind: .gap, range: whole)]),
            (label, [DiskVolume(kind: .whole, range: whole)]),
            (label, [DiskVolume(kind: .partition(1), range: whole)]),
            (label, [DiskVolume(kind: .gap, range: 0..<half), DiskVolume(kind: .partition(2), range: half..<Self.diskByteCount)]),
            (label, [DiskVolume(kind: .partition(1), range: half..<Self.diskByteCount)]),
            (label, [DiskVolume(kind: .gap, range: 0..<half + 512), DiskVolume(kind: .partition(1), range: half..<Self.diskByteCount)]),
            (Self.label([0..<half, half - 512..<Self.diskByteCount]), [DiskVolume(kind: .gap, range: whole)]),
            (Self.label([0..<Self.diskByteCount + 512]), [DiskVolume(kind: .gap, range: whole)]),
        ]
        for (label, volumes) in refused {
            #expect(throws: DiskLayoutError.self) { try DiskLayout(byteCount: Self.diskByteCount, sectorByteCount: 512, label: label, volumes: volumes) }
        }
        #expect(throws: DiskLayoutError.self) { try DiskLayout(byteCount: Self.diskByteCount, sectorByteCount: 520, label: nil, volumes: [DiskVolume(kind: .whole, range: whole)]) }
    }

    @Test func `text that would speak to a terminal is not accepted, and is made harmless where it comes from`() throws {
        for text in ["a\u{1b}[2J", "a\nb", "\u{202e}abc", String(repeating: "x", count: 1025)] {
            var description = Self.fileSystem
            description.label = text
            #expect(throws: DiskLayoutError.outOfBounds("label")) { try FileSystemDescription(description.json) }
            description.label = ShownText.clean(text)
            #expect(try FileSystemDescription(description.json) == description)
        }
    }
}
