import Bytes
import DiskImages
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Testing
import TestSupport

struct RoundTripTests {
    private static let band = 16 << 20

    @Test(arguments: [0, 1, 511, 512, 4095, 4096, 4097, 100_000, band - 1, band, band + 1, 3 * band + 5])
    func `images of every size come back`(byteCount: Int) throws {
        let fixture = try RepositoryFixture()
        // Noise at both ends and around every band's end; zeros between.
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var generator = SeededGenerator(seed: UInt64(byteCount))
        let noisy = [0..<70_000] + (1...3).map { $0 * RoundTripTests.band - 5000..<$0 * RoundTripTests.band + 5000 } + [max(0, byteCount - 3)..<byteCount]
        for range in noisy {
            let part = range.clamped(to: 0..<byteCount)
            bytes.replaceSubrange(part, with: generator.bytes(part.count))
        }
        let report = try fixture.backup(bytes)
        #expect(report.snapshot.manifest.images[0].byteCount == UInt64(byteCount))
        #expect(report.snapshot.manifest.isComplete)
        #expect(try fixture.restore(report.snapshot) == bytes)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test(arguments: [1, 4096, band, band + 1])
    func `an image of zeros stores no data`(byteCount: Int) throws {
        let fixture = try RepositoryFixture()
        let report = try fixture.backup([UInt8](repeating: 0, count: byteCount))
        #expect(report.dataPackCount == 0)
        #expect(report.mapPackCount == 0)
        #expect(report.snapshot.manifest.images[0].volumes[0].root.kind == .zero)
        #expect(try fixture.restore(report.snapshot) == [UInt8](repeating: 0, count: byteCount))
    }

    @Test func `what goes in comes out`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.mixed(byteCount: 20 << 20, seed: 1)
        let report = try fixture.backup(bytes)
        #expect(try fixture.restore(report.snapshot) == bytes)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `a second identical backup adds no data pack and stores almost nothing`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.mixed(byteCount: 20 << 20, seed: 2)
        _ = try fixture.backup(bytes)
        let second = try fixture.backup(bytes)
        #expect(second.dataPackCount == 0)
        #expect(second.snapshot.manifest.counters.newByteCount == 0)
        #expect(try fixture.restore(second.snapshot) == bytes)
    }

    @Test func `several images make one snapshot and share chunks`() throws {
        let fixture = try RepositoryFixture()
        let contents = [TestImages.random(byteCount: 300_000, seed: 3), [], TestImages.random(byteCount: 300_000, seed: 3), TestImages.random(byteCount: 77, seed: 4)]
        let sources = contents.enumerated().map { number, bytes in
            BackupSource(MemoryImageReader(bytes), identity: SourceIdentity(kind: .file, imageName: "disk \(number)", path: "/\(number)"))
        }
        let report = try fixture.repository.backup(sources, options: BackupOptions(), progress: ProgressCounters(), cancellation: Cancellation())
        #expect(report.snapshot.manifest.images.map(\.name) == ["disk 0", "disk 1", "disk 2", "disk 3"])
        #expect(report.snapshot.manifest.counters.newByteCount == 300_077)
        for (number, bytes) in contents.enumerated() { #expect(try fixture.restore(report.snapshot, image: "disk \(number)") == bytes) }
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `a stream without a byte makes no snapshot`() throws {
        let fixture = try RepositoryFixture()
        #expect(throws: RepositoryError.self) { try fixture.backup(MemoryImageStream([])) }
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.isEmpty)
    }

    @Test(arguments: [1, 4096, 1_000_003, band, band + 1])
    func `a stream comes back`(byteCount: Int) throws {
        let fixture = try RepositoryFixture()
        var bytes = [UInt8](repeating: 0, count: byteCount)
        bytes.replaceSubrange(0..<min(byteCount, 50_000), with: TestImages.random(byteCount: min(byteCount, 50_000), seed: 5))
        let report = try fixture.backup(MemoryImageStream(bytes))
        #expect(try fixture.restore(report.snapshot) == bytes)
    }

    @Test(arguments: [0, 1, 4096, 1_500_000])
    func `a stream that breaks off makes no snapshot`(place: Int) throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.random(byteCount: 2_000_000, seed: 6)
        #expect(throws: RepositoryError.self) { try fixture.backup(MemoryImageStream(bytes, breaksOffAt: place)) }
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.isEmpty)
        #expect(try fixture.storage.list(.sessions).isEmpty)
        #expect(try fixture.check(.all).isClean)
    }

    @Test func `a command that fails at its end makes no snapshot`() throws {
        let fixture = try RepositoryFixture()
        let stream = MemoryImageStream([1, 2, 3], failure: .incomplete(source: "dump", reason: "exit status 1"))
        #expect(throws: RepositoryError.self) { try fixture.backup(stream) }
        #expect(try fixture.repository.snapshots().snapshots.isEmpty)
    }

    @Test func `restoring onto what a target holds writes only what differs`() throws {
        let fixture = try RepositoryFixture()
        var bytes = TestImages.random(byteCount: 5 << 20, seed: 7)
        bytes.replaceSubrange(2 << 20..<3 << 20, with: [UInt8](repeating: 0, count: 1 << 20))
        let report = try fixture.backup(bytes)
        var before = bytes
        before[10] ^= 1
        before[(2 << 20) + 4] = 1
        let writer = MemoryImageWriter(contents: before + [1, 2, 3])
        let restored = try restore(fixture, report.snapshot, to: writer)
        #expect(writer.contents == bytes)
        #expect(writer.counters.written <= 1 << 20)
        #expect(writer.counters.zeroed <= 1 << 20)
        #expect(restored.writtenByteCount == writer.counters.written + writer.counters.zeroed)
        let again = MemoryImageWriter(contents: bytes)
        #expect(try restore(fixture, report.snapshot, to: again).writtenByteCount == 0)
    }

    @Test func `a target with other contents is hardly read, and becomes equal`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.random(byteCount: 24 << 20, seed: 8)
        let report = try fixture.backup(bytes)
        let writer = MemoryImageWriter(contents: TestImages.random(byteCount: bytes.count, seed: 9))
        let restored = try restore(fixture, report.snapshot, to: writer)
        let isEqual = writer.contents == bytes
        #expect(isEqual)
        #expect(restored.writtenByteCount == UInt64(bytes.count) && writer.counters.written == restored.writtenByteCount)
        #expect(writer.readByteCount >= 8 << 20 && writer.readByteCount < 14 << 20)
    }

    @Test func `behind what differs a restore finds what is equal, and writes no more than twice what differs`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.random(byteCount: 28 << 20, seed: 8)
        let report = try fixture.backup(bytes)
        let differing = 10 << 20
        let writer = MemoryImageWriter(contents: TestImages.random(byteCount: differing, seed: 9) + bytes[differing...])
        // With one thread the pieces are compared in order: eight mebibytes differ, and as many are written without a look.
        let restored = try restore(fixture, report.snapshot, to: writer, threadCount: 1)
        let isEqual = writer.contents == bytes
        #expect(isEqual)
        #expect(restored.writtenByteCount > UInt64(differing + (2 << 20)) && restored.writtenByteCount <= UInt64(2 * differing))
        // And once it is equal, nothing.
        #expect(try restore(fixture, report.snapshot, to: writer).writtenByteCount == 0)
    }

    @Test func `a target that must be written in order is`() throws {
        let fixture = try RepositoryFixture()
        var bytes = [UInt8](repeating: 0, count: 5 * RoundTripTests.band + 9)
        for place in stride(from: 0, to: bytes.count - 20_000, by: 9_000_000) {
            bytes.replaceSubrange(place..<place + 20_000, with: TestImages.random(byteCount: 20_000, seed: UInt64(place)))
        }
        let report = try fixture.backup(bytes)
        let writer = MemoryImageWriter(isOrdered: true)
        // The writer itself traps on a gap or an overlap.
        _ = try restore(fixture, report.snapshot, to: writer, threadCount: 4)
        #expect(writer.contents == bytes)
        #expect(throws: RepositoryError.self) { try restore(fixture, report.snapshot, to: MemoryImageWriter(isOrdered: true), verifies: true) }
    }

    @Test func `verifying finds a target that lies`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.random(byteCount: 300_000, seed: 8)
        let report = try fixture.backup(bytes)
        #expect(try restore(fixture, report.snapshot, to: MemoryImageWriter(), verifies: true).isVerified)
        for place in [0, 150_000, 299_999] {
            let error = #expect(throws: RepositoryError.self) {
                try restore(fixture, report.snapshot, to: LyingImageWriter(MemoryImageWriter(), place: UInt64(place)), verifies: true)
            }
            guard case .verificationFailed? = error else { Issue.record("\(place): \(String(describing: error))"); continue }
        }
    }

    @Test func `a target that runs full is an error`() throws {
        let fixture = try RepositoryFixture()
        let report = try fixture.backup(TestImages.random(byteCount: 300_000, seed: 9))
        #expect(throws: RepositoryError.self) { try restore(fixture, report.snapshot, to: MemoryImageWriter(fullAfterByteCount: 1000)) }
        #expect(throws: RepositoryError.self) { try restore(fixture, report.snapshot, to: MemoryImageWriter(byteCapacity: 299_999)) }
    }

    @Test func `random reads give what a restore gives`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.mixed(byteCount: RoundTripTests.band + 3_000_001, seed: 10)
        let snapshot = try fixture.backup(bytes).snapshot
        let reader = try fixture.repository.reader(for: try fixture.repository.image(nil, of: snapshot))
        let seed: UInt64 = 11
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<60 {
            let offset = Int.random(in: 0...bytes.count, using: &generator)
            let byteCount = Int.random(in: 0...min(100_000, bytes.count - offset), using: &generator)
            #expect(try read(reader, offset, byteCount) == Array(bytes[offset..<offset + byteCount]), "seed \(seed), \(byteCount) bytes at \(offset)")
        }
        let border = RoundTripTests.band
        #expect(try read(reader, border - 10, 20) == Array(bytes[border - 10..<border + 10]))
        #expect(throws: ImageError.self) { try read(reader, bytes.count - 1, 2) }
        var offset: UInt64 = 0
        while offset < reader.byteCount {
            let extent = try reader.extent(at: offset)
            try #require(extent.end > offset)
            if extent.kind == .zero { #expect(bytes[Int(offset)..<Int(extent.end)].allSatisfy { $0 == 0 }, "\(offset)..<\(extent.end)") }
            offset = extent.end
        }
    }

    private func read(_ reader: RepositoryImageReader, _ offset: Int, _ byteCount: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: byteCount)
        var span = bytes.mutableSpan
        _ = try reader.read(at: UInt64(offset), into: &span)
        return bytes
    }

    @discardableResult
    private func restore(
        _ fixture: RepositoryFixture, _ snapshot: Snapshot, to writer: any ImageWriter, threadCount: Int? = nil, verifies: Bool = false
    ) throws -> RestoreReport {
        var options = RestoreOptions()
        options.threadCount = threadCount
        options.verifies = verifies
        return try fixture.repository.restore(
            try fixture.repository.image(nil, of: snapshot), to: writer, targetName: "memory", options: options, progress: ProgressCounters(),
            cancellation: Cancellation())
    }
}

/// Takes everything and gives one byte back wrong.
private final class LyingImageWriter: ImageWriter {
    private let wrapped: MemoryImageWriter
    private let place: UInt64

    init(_ wrapped: MemoryImageWriter, place: UInt64) { (self.wrapped, self.place) = (wrapped, place) }

    var isOrdered: Bool { false }
    var isBlank: Bool { true }
    func prepare(byteCount: UInt64) throws(ImageError) { try wrapped.prepare(byteCount: byteCount) }
    func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ImageError) { try wrapped.write(bytes, at: offset) }
    func writeZeros(at offset: UInt64, byteCount: UInt64) throws(ImageError) { try wrapped.writeZeros(at: offset, byteCount: byteCount) }
    func finish() throws(ImageError) { try wrapped.finish() }

    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        let count = try wrapped.read(at: offset, into: &bytes)
        if place >= offset, place < offset + UInt64(count) { bytes[Int(place - offset)] ^= 1 }
        return count
    }
}
