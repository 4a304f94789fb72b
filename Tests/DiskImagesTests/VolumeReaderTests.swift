import DiskImages
import ImageFixtures
import Testing

struct VolumeReaderTests {
    private let contents = pattern(100_000)
    private let free: [Range<UInt64>] = [4096..<12288, 20480..<24576, 81920..<90112]

    private var reader: VolumeReader { VolumeReader(MemoryImageReader(contents), range: 512..<91_512, free: free) }

    private var masked: [UInt8] {
        var bytes = Array(contents[512..<91_512])
        for range in free { for index in Int(range.lowerBound)..<min(Int(range.upperBound), bytes.count) { bytes[index] = 0 } }
        return bytes
    }

    @Test func `extents are those of the part, and what is free is unused`() throws {
        #expect(
            try extents(reader) == [
                ImageExtent(kind: .data, end: 4096), ImageExtent(kind: .unused, end: 12288), ImageExtent(kind: .data, end: 20480),
                ImageExtent(kind: .unused, end: 24576), ImageExtent(kind: .data, end: 81920), ImageExtent(kind: .unused, end: 90112),
                ImageExtent(kind: .data, end: 91_000),
            ])
    }

    @Test(arguments: [0..<91_000, 1..<5000, 4096..<12288, 5000..<6000, 12000..<21000, 24575..<24577, 90_000..<91_000])
    func `what is free reads as zeros, and the rest as it is`(range: Range<Int>) throws {
        var bytes = [UInt8](repeating: 7, count: range.count)
        var span = bytes.mutableSpan
        #expect(try reader.read(at: UInt64(range.lowerBound), into: &span) == range.count)
        #expect(bytes == Array(masked[range]))
    }

    @Test(arguments: [(UInt64(0), UInt64(0)), (4096, 0), (6000, 1904), (8192, 4096), (20_000, 4096)])
    func `a part has what is left of it where the source ends now`(end: UInt64, left: UInt64) throws {
        let source = SyntheticImageReader(byteCount: 1 << 20, seed: 1)
        source.setCurrentByteCount(end)
        #expect(try VolumeReader(source, range: 4096..<8192).currentByteCount() == left)
    }
}
