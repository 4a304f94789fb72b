import DiskImages
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import Testing

/// Sizes that no disk here has, through an image that exists nowhere.
struct LargeImageTests {
    @Test(arguments: [1 << 50, (8 << 40) + 4097, (1 << 50) - 1] as [UInt64])
    func `a huge image costs what is in it`(byteCount: UInt64) throws {
        let storage = MemoryStorage()
        let fixture = try RepositoryFixture(storage)
        let ranges: [Range<UInt64>] = [0..<100_000, 3 << 30..<(3 << 30) + 50_001, byteCount / 2 + 7..<byteCount / 2 + 70_000, byteCount - 12_345..<byteCount]
        let image = SyntheticImageReader(byteCount: byteCount, seed: 21, dataRanges: ranges)
        let start = ContinuousClock.now
        let report = try fixture.backup(image)
        #expect(image.counters.bytesRead < 1 << 20)
        #expect(storage.objects.count < 20)
        #expect(storage.objects.values.reduce(0) { $0 + $1.count } < 1 << 20)

        let reader = try fixture.repository.reader(for: report.snapshot.manifest.images[0])
        #expect(reader.byteCount == byteCount)
        for range in ranges {
            let around = (range.lowerBound > 5000 ? range.lowerBound - 5000 : 0)..<min(byteCount, range.upperBound + 5000)
            var bytes = [UInt8](repeating: 1, count: around.count)
            var span = bytes.mutableSpan
            _ = try reader.read(at: around.lowerBound, into: &span)
            #expect(bytes == image.bytes(in: around), "around \(range)")
        }
        let second = try fixture.backup(image)
        #expect(second.dataPackCount == 0)
        #expect(try fixture.repository.differences(from: report.snapshot, to: second.snapshot)[0].changedByteCount == 0)
        #expect(try fixture.check(.all).problems == [])
        #expect(ContinuousClock.now - start < .seconds(30))
    }
}
