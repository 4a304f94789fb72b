import DiskImages
import ImageFixtures
import Testing

struct SyntheticImageReaderTests {
    @Test func `any part equals the same part of the whole`() throws {
        let reader = SyntheticImageReader(byteCount: 10_000, seed: 9, dataRanges: [100..<3001, 5000..<5001, 9990..<10_000])
        let whole = try read(reader, 0, 10_000)
        for (start, byteCount) in [(0, 1), (99, 3), (101, 7), (2995, 2010), (4999, 3), (9985, 15), (10_000, 0)] {
            #expect(try read(reader, UInt64(start), byteCount) == Array(whole[start..<start + byteCount]))
        }
        #expect(whole[..<100].allSatisfy { $0 == 0 })
        #expect(Set(whole[100..<3001]).count > 200)
        #expect(whole[3001..<5000].allSatisfy { $0 == 0 })
    }

    @Test func `an image of a pebibyte has its extents`() throws {
        let size = SyntheticImageReader.byteCountMax
        let reader = SyntheticImageReader(byteCount: size, seed: 1, dataRanges: [1 << 40..<1 << 40 + 5, size - 1..<size])
        #expect(
            try extents(reader) == [
                ImageExtent(kind: .zero, end: 1 << 40), ImageExtent(kind: .data, end: 1 << 40 + 5),
                ImageExtent(kind: .zero, end: size - 1), ImageExtent(kind: .data, end: size),
            ])
        #expect(try read(reader, size - 2, 2)[0] == 0)
    }

    @Test func `seeds differ`() throws {
        let first = SyntheticImageReader(byteCount: 64, seed: 1)
        #expect(try read(first, 0, 64) != read(SyntheticImageReader(byteCount: 64, seed: 2), 0, 64))
        #expect(try read(first, 0, 64) == first.bytes(in: 0..<64))
    }

    @Test func `a growing source shows only in its current size`() throws {
        let reader = SyntheticImageReader(byteCount: 64, seed: 1)
        reader.setCurrentByteCount(100)
        #expect(reader.byteCount == 64)
        #expect(reader.currentByteCount() == 100)
        #expect(try read(reader, 0, 64).count == 64)
    }
}
