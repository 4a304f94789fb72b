import Bytes
@testable import ImageRepository
import Packing
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Testing
import TestSupport

/// References to parts of chunks, as a check gathers and compares them.
struct PartReferencesTests {
    private let member: MemberKeys
    private let bytes: [UInt8]

    init() throws {
        member = try RepositoryFixture().repository.sealer.member
        bytes = TestImages.random(byteCount: 40_000, seed: 1)
    }

    private func id(_ number: UInt64) -> ChunkID {
        var generator = SeededGenerator(seed: number)
        return ChunkID(Digest(words: (generator.next(), generator.next(), generator.next(), generator.next())))
    }

    private func part(_ chunk: UInt64, _ range: Range<Int>, isRight: Bool = true) -> MapEntry {
        var fingerprint = unsafe bytes.withUnsafeBytes { unsafe member.fingerprint(UnsafeRawBufferPointer(rebasing: $0[range])) }
        if !isRight { fingerprint = Fingerprint(low: fingerprint.low ^ 1, high: fingerprint.high) }
        return MapEntry(kind: .data, byteCount: UInt32(range.count), chunk: id(chunk), fingerprint: fingerprint, chunkOffset: UInt32(range.lowerBound))
    }

    private func wrong(_ references: PartReferences, _ chunk: UInt64) -> (wrong: [PartReferences.Part], comparedCount: Int) {
        unsafe bytes.withUnsafeBytes { unsafe references.wrongParts(of: id(chunk), $0, member) }
    }

    @Test func `each part is compared once, and what is wrong is named`() {
        var references = PartReferences()
        for _ in 0..<3 {
            references.add(part(1, 0..<4096))
            references.add(part(1, 8192..<20_000))
            references.add(part(2, 8192..<20_000, isRight: false))
            references.add(part(2, 0..<40_000))
        }
        references.finish()
        #expect(wrong(references, 1).wrong == [] && wrong(references, 1).comparedCount == 2)
        #expect(wrong(references, 2).wrong == [PartReferences.Part(part(2, 8192..<20_000, isRight: false))] && wrong(references, 2).comparedCount == 2)
        #expect(wrong(references, 3).comparedCount == 0)
        #expect(references.sample == 1)
    }

    @Test func `one that reaches beyond its chunk is left to others`() {
        var references = PartReferences()
        references.add(MapEntry(kind: .data, byteCount: 4096, chunk: id(1), fingerprint: Fingerprint(low: 1, high: 2), chunkOffset: 39_000))
        references.add(MapEntry(kind: .data, byteCount: .max, chunk: id(1), fingerprint: Fingerprint(low: 1, high: 2), chunkOffset: .max))
        references.finish()
        #expect(wrong(references, 1).wrong == [])
    }

    @Test func `what is there often takes no room, and where there is none, all parts of some chunks are kept`() {
        var references = PartReferences(countMax: 100)
        for _ in 0..<50 { for chunk in 0..<20 as Range<UInt64> { references.add(part(chunk, 0..<4096)) } }
        references.finish()
        #expect(references.sample == 1 && (0..<20).allSatisfy { wrong(references, $0).comparedCount == 1 })

        var many = PartReferences(countMax: 100)
        for start in [0, 4096, 8192] { for chunk in 0..<200 as Range<UInt64> { many.add(part(chunk, start..<start + 4096, isRight: start != 4096)) } }
        many.finish()
        let counts = (0..<200 as Range<UInt64>).map { wrong(many, $0) }
        #expect(many.sample > 4 && many.sample < 64)
        #expect(counts.allSatisfy { [0, 3].contains($0.comparedCount) && $0.wrong.count == $0.comparedCount / 3 })
        #expect((1...33).contains(counts.count { $0.comparedCount > 0 }))
    }
}
