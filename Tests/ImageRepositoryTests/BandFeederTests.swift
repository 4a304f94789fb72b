import Bytes
import DiskImages
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Testing
import TestSupport
import Threading

/// Ranges to read that are not made of whole blocks: between them lies what is known already.
struct BandFeederTests {
    private static let byteCount = 30_000
    private static let unread = [100..<1000, 2000..<3000, 3500..<9000, 9001..<9002, 20_000..<20_001, 29_000..<30_000]

    private let bytes = TestImages.random(byteCount: byteCount, seed: 1)
    private let buffer = AlignedBuffer(byteCapacity: 1 << 20)

    private func fill(_ reader: CountedImageReader) throws -> (gaps: [BandGap], report: FeedReport) {
        let sink = BandSink(buffers: Pool([]), jobs: BoundedQueue(limit: 1), outcomes: OrderedOutcomes())
        let feeder = BandFeeder(sink: sink, limit: nil, progress: ProgressCounters(), cancellation: Cancellation())
        var extents = ExtentCursor(reader)
        var report = FeedReport(byteCount: reader.byteCount)
        let gaps = try feeder.fill(buffer, Self.unread, byteCount: Self.byteCount, reader, &extents, 0, UnreadableRangeScanner(sectorByteCount: 512), &report)
        return (gaps, report)
    }

    private func isFilled(_ range: Range<Int>) -> Bool { buffer.withBytes(byteCount: Self.byteCount) { span in range.allSatisfy { span[$0] == bytes[$0] } } }

    @Test func `a block that two ranges share is read once, and is not lost when it dies then`() throws {
        let (gaps, report) = try fill(CountedImageReader(bytes, dying: 0..<UInt64(Self.byteCount)))
        #expect(gaps.isEmpty && report.unreadable.isEmpty)
        #expect(Self.unread.allSatisfy(isFilled))
    }

    @Test func `of sectors that cannot be read only what was asked for is missing`() throws {
        let (gaps, report) = try fill(CountedImageReader(bytes, unreadable: 512..<2048))
        #expect(gaps.map(\.range) == [512..<1000, 2000..<2048] && gaps.allSatisfy { $0.entries.map(\.kind) == [.unreadable] })
        #expect(report.unreadable == [512..<1000, 2000..<2048])
        #expect([100..<512, 2048..<3000, 3500..<9000].allSatisfy(isFilled))
    }
}
