import DiskImages
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import Synchronization
import Testing

/// Sources that cannot be read, change while they are, or are interrupted.
struct SourceTests {
    private static let band: UInt64 = 16 << 20

    @Test(arguments: [false, true]) func `what cannot be read is recorded, reported and restored as zeros`(hasParent: Bool) throws {
        let fixture = try RepositoryFixture()
        let byteCount = Self.band + 300_000
        let image = SyntheticImageReader(byteCount: byteCount, seed: 51, dataRanges: [0..<200_000, Self.band - 100_000..<byteCount])
        if hasParent { _ = try fixture.backup(image) }
        let bad: [Range<UInt64>] = [0..<512, 100_352..<101_376, Self.band - 512..<Self.band + 512, byteCount - 480..<byteCount]
        image.setUnreadable(bad)
        let report = try fixture.backup(image)
        // Whole sectors are given up; byteCount is no multiple of one.
        #expect(report.unreadable.map(\.range) == bad)
        #expect(report.unreadable.allSatisfy { $0.image == "disk" })
        #expect(!report.snapshot.manifest.isComplete)
        #expect(report.snapshot.manifest.counters.unreadableByteCount == UInt64(bad.reduce(0) { $0 + $1.count }))
        var expected = image.bytes(in: 0..<byteCount)
        for range in bad { expected.replaceSubrange(Int(range.lowerBound)..<Int(range.upperBound), with: [UInt8](repeating: 0, count: range.count)) }
        let writer = MemoryImageWriter()
        let restored = try fixture.repository.restore(
            report.snapshot.manifest.images[0], to: writer, targetName: "memory", options: RestoreOptions(), progress: ProgressCounters(),
            cancellation: Cancellation())
        let isRestored = writer.contents == expected
        #expect(isRestored)
        #expect(restored.unreadable == bad)
        #expect(try fixture.check(.all).problems == [])
        // An incomplete snapshot is no parent; the next one, which can be read, is whole.
        image.setUnreadable([])
        let next = try fixture.backup(image)
        #expect((next.snapshot.manifest.parent != nil) == hasParent)
        #expect(next.snapshot.manifest.parent != report.snapshot.id)
        #expect(try fixture.restore(next.snapshot) == image.bytes(in: 0..<byteCount))
    }

    @Test(arguments: [UInt64(0), 1, 4096, 1_500_000, 2_999_999], [false, true])
    func `the lost tail of a source that shrinks is unreadable`(end: UInt64, hasParent: Bool) throws {
        let fixture = try RepositoryFixture()
        let image = SyntheticImageReader(byteCount: 3_000_000, seed: 52)
        if hasParent { _ = try fixture.backup(image) }
        image.setCurrentByteCount(end)
        let report = try fixture.backup(image)
        #expect(report.unreadable.map(\.range) == [end..<3_000_000])
        #expect(!report.snapshot.manifest.isComplete)
        #expect(report.warnings.contains { $0.contains("shrank") })
        #expect(try fixture.restore(report.snapshot) == image.bytes(in: 0..<end) + [UInt8](repeating: 0, count: Int(3_000_000 - end)))
    }

    @Test func `a source that shrinks between two reads keeps what was read`() throws {
        let fixture = try RepositoryFixture()
        let image = SyntheticImageReader(byteCount: 2 * Self.band, seed: 53, dataRanges: [0..<3_000_000, Self.band..<Self.band + 1_000_000])
        image.setCurrentByteCount(2_500_000, afterReads: 2)
        let report = try fixture.backup(image)
        #expect(report.unreadable.map(\.range) == [2_500_000..<2 * Self.band])
        #expect(try fixture.restore(report.snapshot) == image.bytes(in: 0..<2_500_000) + [UInt8](repeating: 0, count: 2 * Int(Self.band) - 2_500_000))
    }

    @Test func `a source that grows counts as it was when it was opened`() throws {
        let fixture = try RepositoryFixture()
        let image = SyntheticImageReader(byteCount: 100_000, seed: 54)
        image.setCurrentByteCount(200_000, afterReads: 0)
        let report = try fixture.backup(image)
        #expect(report.warnings.contains { $0.contains("grew") })
        #expect(report.snapshot.manifest.isComplete)
        #expect(try fixture.restore(report.snapshot) == image.bytes(in: 0..<100_000))
    }

    @Test(arguments: [0, 1, 3]) func `a source that fails for good makes no snapshot`(reads: Int) throws {
        let fixture = try RepositoryFixture()
        let image = ObservedReader(SyntheticImageReader(byteCount: 5 << 20, seed: 55)) { count throws(ImageError) in
            if count > reads { throw .failed(path: "synthetic", operation: "read", reason: "the device is gone") }
        }
        let error = #expect(throws: RepositoryError.self) { try fixture.backup(image) }
        guard case .image(.failed)? = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.isEmpty)
        #expect(try fixture.check(.all).isClean)
    }

    @Test(arguments: [0, 1, 3, 7, 12, 15]) func `a cancelled backup makes no snapshot, and the next uses what it stored`(reads: Int) throws {
        let fixture = try RepositoryFixture()
        let ranges = (0..<16).map { Self.band * $0..<Self.band * $0 + 300_000 }
        let image = SyntheticImageReader(byteCount: 16 * Self.band, seed: 56, dataRanges: ranges)
        let cancellation = Cancellation()
        let observed = ObservedReader(image) { count throws(ImageError) in if count > reads { cancellation.cancel() } }
        let error = #expect(throws: RepositoryError.self) {
            try fixture.repository.backup(
                [BackupSource(observed, identity: SourceIdentity(kind: .file, imageName: "disk", path: "/disk"))], options: BackupOptions(),
                progress: ProgressCounters(), cancellation: cancellation)
        }
        guard case .cancelled? = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.isEmpty)
        #expect(try fixture.storage.list(.sessions).isEmpty)
        #expect(try fixture.check(.all).problems == [])
        // Data and maps; the maps of a few bands are some kilobytes.
        let stored = try fixture.repository.statistics().chunkByteCount
        let next = try fixture.backup(image)
        #expect(next.snapshot.manifest.counters.newByteCount <= 16 * 300_000 - stored + 65_536)
        if reads >= 12 { #expect(stored > 1 << 20) }
        #expect(try fixture.repeatedChunkCount() == 0)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `a slow reader notices a cancellation`() throws {
        let fixture = try RepositoryFixture()
        let cancellation = Cancellation()
        let image = ObservedReader(SyntheticImageReader(byteCount: 2 << 20, seed: 57)) { _ throws(ImageError) in cancellation.cancel() }
        var options = BackupOptions()
        options.readLimit = 1
        let start = ContinuousClock.now
        #expect(throws: RepositoryError.self) {
            try fixture.repository.backup(
                [BackupSource(image, identity: SourceIdentity(kind: .file, imageName: "disk", path: "/disk"))], options: options,
                progress: ProgressCounters(), cancellation: cancellation)
        }
        #expect(ContinuousClock.now - start < .seconds(10))
    }
}

/// Tells of every read before it happens.
private final class ObservedReader: ImageReader {
    private let wrapped: SyntheticImageReader
    private let count = Atomic<Int>(0)
    private let willRead: @Sendable (Int) throws(ImageError) -> Void

    init(_ wrapped: SyntheticImageReader, willRead: @escaping @Sendable (_ count: Int) throws(ImageError) -> Void) {
        (self.wrapped, self.willRead) = (wrapped, willRead)
    }

    var byteCount: UInt64 { wrapped.byteCount }
    func extent(at offset: UInt64) throws(ImageError) -> ImageExtent { try wrapped.extent(at: offset) }

    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        try willRead(count.add(1, ordering: .relaxed).newValue)
        return try wrapped.read(at: offset, into: &bytes)
    }
}
