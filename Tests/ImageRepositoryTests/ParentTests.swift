import Bytes
import DiskImages
import ImageFixtures
@testable import ImageRepository
import Packing
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Testing
import TestSupport

/// What a backup takes over from the snapshot before it.
struct ParentTests {
    @Test(arguments: [1, 4096, 5000, 70_000]) func `data that moved is found again by content`(shift: Int) throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.random(byteCount: 2_000_000, seed: 71)
        _ = try fixture.backup(bytes)
        let moved = TestImages.random(byteCount: shift, seed: 72) + bytes
        let report = try fixture.backup(moved)
        #expect(report.snapshot.manifest.counters.newByteCount < 400_000)
        #expect(try fixture.restore(report.snapshot) == moved)
    }

    @Test func `a change in the middle costs about its own size`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.random(byteCount: 3_000_000, seed: 73)
        let first = try fixture.backup(bytes).snapshot
        var changed = bytes
        changed[1_500_000] ^= 1
        let report = try fixture.backup(changed)
        #expect(report.snapshot.manifest.parent == first.id)
        #expect(report.snapshot.manifest.counters.newByteCount <= 2 * 128 << 10)
        #expect(try fixture.restore(report.snapshot) == changed)
        let difference = try fixture.repository.differences(from: first, to: report.snapshot)[0]
        #expect(difference.kind == .changed)
        #expect(difference.changedRanges.contains { $0.contains(1_500_000) })
        #expect(try fixture.check(.all).problems == [])
    }

    /// Bands that are recognised as a whole, in part and not at all; zeros that became data and data that became zeros; other sizes.
    @Test(arguments: 0..<16) func `whatever changes, a snapshot is what the source held`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let fixture = try RepositoryFixture()
        var bytes = TestImages.mixed(byteCount: Int.random(in: 1...20_000_000, using: &generator), seed: seed)
        var options = BackupOptions()
        options.threadCount = Int(seed / 2 % 4) + 1
        for generation in 0..<3 {
            let report = try fixture.backup(MemoryImageReader(bytes, reportsZeros: generation > 0 && seed % 2 == 0), options: options)
            let isRestored = try fixture.restore(report.snapshot) == bytes
            #expect(isRestored)
            #expect(report.snapshot.manifest.counters.readByteCount <= UInt64(bytes.count))
            // Nothing is new in what did not change.
            let again = try fixture.backup(bytes)
            #expect(again.snapshot.manifest.counters.newByteCount == 0)
            #expect(again.snapshot.manifest.images[0].volumes == report.snapshot.manifest.images[0].volumes)
            #expect(again.snapshot.manifest.counters.chunkCount == report.snapshot.manifest.counters.chunkCount)
            for _ in 0..<Int.random(in: 0...5, using: &generator) {
                let start = Int.random(in: 0..<bytes.count, using: &generator)
                let end = min(bytes.count, start + Int.random(in: 1...300_000, using: &generator))
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: for index in start..<end { bytes[index] = 0 }
                case 1: bytes.replaceSubrange(start..<end, with: generator.bytes(end - start))
                case 2: bytes[start] ^= 1
                case 3: bytes.removeSubrange(max(1, start)..<max(1, end))
                default: bytes += generator.bytes(end - start)
                }
            }
        }
    }

    @Test(arguments: [UInt64(1), 64]) func `references to parts of chunks are read, restored, checked and inherited`(rate: UInt64) throws {
        let fixture = try RepositoryFixture()
        let chunk = TestImages.random(byteCount: 60_000, seed: 74)
        let template = try fixture.backup([1, 2, 3]).snapshot.manifest
        let chunks = HandmadeChunks(fixture.repository)
        let id = try chunks.add(.data, chunk)
        // Out of order, overlapping, with a hole between.
        let parts = [20_000..<60_000, 0..<10_001, 5_000..<5_001, 59_999..<60_000]
        var entries = parts.map {
            MapEntry(kind: .data, byteCount: UInt32($0.count), chunk: id, fingerprint: chunks.fingerprint(Array(chunk[$0])), chunkOffset: UInt32($0.lowerBound))
        }
        entries.insert(MapEntry(kind: .zero, byteCount: 777), at: 1)
        let bytes = Array(chunk[parts[0]]) + [UInt8](repeating: 0, count: 777) + parts[1...].flatMap { chunk[$0] }
        let map = try chunks.add(.map, BandMap(entries: entries).encoded)
        try chunks.finish()
        let snapshot = try fixture.repository.snapshot(
            fixture.repository.commit(like: template) { $0.replaceImage(byteCount: bytes.count, MapSlot(kind: .map, id: map)) })
        #expect(try fixture.restore(snapshot) == bytes)
        #expect(try fixture.check(.all).problems == [])
        let reader = try fixture.repository.reader(for: snapshot.manifest.images[0])
        for range in [0..<bytes.count, 39_990..<41_000, 50_000..<50_780] {
            var part = [UInt8](repeating: 0, count: range.count)
            var span = part.mutableSpan
            _ = try reader.read(at: UInt64(range.lowerBound), into: &span)
            #expect(part == Array(bytes[range]))
        }
        var options = BackupOptions()
        options.verifiedMatchRate = rate
        let next = try fixture.backup(bytes, options: options)
        #expect(next.snapshot.manifest.parent == snapshot.id)
        #expect(next.warnings == [])
        // All of it is inherited, also zeros that fill no block and would be data if they were cut.
        #expect(next.snapshot.manifest.counters.newByteCount == 0)
        #expect(try fixture.restore(next.snapshot) == bytes)
    }

    @Test func `a reference beyond its chunk is found by a check and never restored`() throws {
        let fixture = try RepositoryFixture()
        let chunk = TestImages.random(byteCount: 9_000, seed: 75)
        let template = try fixture.backup([1, 2, 3]).snapshot.manifest
        let chunks = HandmadeChunks(fixture.repository)
        let id = try chunks.add(.data, chunk)
        let bytes = Array(chunk[1000...])
        let entry = MapEntry(kind: .data, byteCount: 8_000, chunk: id, fingerprint: chunks.fingerprint(bytes), chunkOffset: 1_001)
        let map = try chunks.add(.map, BandMap(entries: [entry]).encoded)
        try chunks.finish()
        let snapshot = try fixture.repository.snapshot(
            fixture.repository.commit(like: template) { $0.replaceImage(byteCount: 8_000, MapSlot(kind: .map, id: map)) })
        #expect(throws: RepositoryError.self) { try fixture.restore(snapshot) }
        #expect(try fixture.check(.structure).problems.contains { $0.severity == .error && $0.snapshots == [snapshot.id.hexadecimal] })
        // Its fingerprint fits these bytes, and still nothing is inherited from it.
        let next = try fixture.backup(bytes)
        #expect(try fixture.restore(next.snapshot) == bytes)
    }

    @Test func `a parent whose maps are damaged is given up with a warning`() throws {
        let storage = MemoryStorage()
        let fixture = try RepositoryFixture(storage)
        let bytes = TestImages.random(byteCount: 500_000, seed: 76)
        _ = try fixture.backup(bytes)
        let name = try storage.list(.maps)[0].name
        var pack = try storage.get(name, byteCountMax: 1 << 30)
        pack[100] ^= 1
        storage.overwrite(name, with: pack)
        let report = try fixture.backup(bytes + [1])
        #expect(report.warnings.contains { $0.contains("cannot be read") })
        #expect(try fixture.restore(report.snapshot) == bytes + [1])
        #expect(report.snapshot.manifest.counters.newByteCount < 200_000)
    }

    @Test(arguments: [false, true]) func `maps that cannot be read are stored again by the next backup`(hasParent: Bool) throws {
        let storage = MemoryStorage()
        let fixture = try RepositoryFixture(storage)
        let bytes = TestImages.random(byteCount: 300_000, seed: 57)
        _ = try fixture.backup(bytes)
        for (name, object) in storage.objects where name.kind == .maps {
            var damaged = object
            damaged[damaged.count / 2 / 64] ^= 1
            for index in 48..<damaged.count / 2 { damaged[index] ^= 0xFF }
            storage.overwrite(name, with: damaged)
        }
        var options = BackupOptions()
        if !hasParent { options.parent = .none }
        let report = try fixture.backup(bytes, options: options)
        #expect(report.warnings.contains { $0.contains("stored again") })
        #expect(report.dataPackCount == 0)
        #expect(report.mapPackCount == 1)
        #expect(try fixture.restore(report.snapshot) == bytes)
    }

    @Test func `a fingerprint that names another chunk is found out and everything read again`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.random(byteCount: 100_000, seed: 77)
        let others = TestImages.random(byteCount: 100_000, seed: 78)
        let template = try fixture.backup([1, 2, 3]).snapshot.manifest
        let chunks = HandmadeChunks(fixture.repository)
        let wrong = try chunks.add(.data, others)
        let entry = MapEntry(kind: .data, byteCount: 100_000, chunk: wrong, fingerprint: chunks.fingerprint(bytes), chunkOffset: 0)
        let map = try chunks.add(.map, BandMap(entries: [entry]).encoded)
        try chunks.finish()
        _ = try fixture.repository.commit(like: template) { $0.replaceImage(byteCount: 100_000, MapSlot(kind: .map, id: map)) }
        var options = BackupOptions()
        options.verifiedMatchRate = 1
        // The image that lies comes second: what was taken over in the first is not believed either, and a third is read once more, not thrice.
        let third = SyntheticImageReader(byteCount: 50_000, seed: 79)
        let sources = [
            BackupSource(MemoryImageReader([1, 2, 3]), identity: SourceIdentity(kind: .file, imageName: "first", path: "/first")),
            BackupSource(MemoryImageReader(bytes), identity: SourceIdentity(kind: .file, imageName: "disk", path: "/disk")),
            BackupSource(third, identity: SourceIdentity(kind: .file, imageName: "third", path: "/third")),
        ]
        let report = try fixture.repository.backup(sources, options: options, progress: ProgressCounters(), cancellation: Cancellation())
        #expect(report.warnings.contains { $0.contains("fingerprint") })
        #expect(try fixture.restore(report.snapshot, image: "disk") == bytes)
        #expect(try fixture.restore(report.snapshot, image: "first") == [1, 2, 3])
        #expect(try fixture.restore(report.snapshot, image: "third") == third.bytes(in: 0..<50_000))
        #expect(third.counters.reads == 2)
        // Without a parent, or when every match is verified, the lie has no effect at all.
        options.rehashes = true
        #expect(try fixture.restore(try fixture.backup(bytes, options: options).snapshot) == bytes)
    }

    @Test func `more tags than a manifest holds are refused, not written`() throws {
        let fixture = try RepositoryFixture()
        var options = BackupOptions()
        options.tags = (0..<1025).map { "tag \($0)" }
        #expect(throws: RepositoryError.self) { try fixture.backup([1], options: options) }
        #expect(try fixture.check(.all).isClean)
        options.tags.removeLast()
        #expect(try fixture.backup([1], options: options).snapshot.manifest.tags.count == 1024)
    }
}

extension Manifest {
    fileprivate mutating func replaceImage(byteCount: Int, _ root: MapSlot) {
        images[0].byteCount = UInt64(byteCount)
        images[0].volumes[0].placements = [.init(offset: 0, byteCount: UInt64(byteCount))]
        images[0].volumes[0].root = root
    }
}
