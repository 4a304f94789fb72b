import DiskImages
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import TestSupport
import Testing
import Threading

/// Images of several volumes, of which parts are not in use.
struct VolumeTests {
    private static let band: UInt64 = 16 << 20

    private let fixture: RepositoryFixture

    init() throws { fixture = try RepositoryFixture() }

    /// A disk with a gap, a partition that begins and ends at odd sectors and has free ranges, and another gap.
    private struct Disk {
        var reader: SyntheticImageReader
        var partition: Range<UInt64>
        var free: [Range<UInt64>]
        var partitionID = "0F-1"
        var fileSystemID = "uuid-1"

        var layout: SourceLayout {
            SourceLayout(
                label: ["kind": "gpt", "partitions": [["number": .count(1), "id": .string(partitionID)]]],
                volumes: [
                    SourceVolume(kind: .gap, range: 0..<partition.lowerBound),
                    SourceVolume(kind: .partition, partition: 1, range: partition, fileSystem: ["type": "ext4", "uuid": .string(fileSystemID)], free: free),
                    SourceVolume(kind: .gap, range: partition.upperBound..<reader.byteCount),
                ])
        }

        /// With zeros where nothing is in use.
        var expected: [UInt8] {
            var bytes = reader.bytes(in: 0..<reader.byteCount)
            for range in free {
                let place = Int(partition.lowerBound + range.lowerBound)..<Int(partition.lowerBound + range.upperBound)
                bytes.replaceSubrange(place, with: [UInt8](repeating: 0, count: place.count))
            }
            return bytes
        }
    }

    private let disk = Disk(
        reader: SyntheticImageReader(byteCount: 3 * band + 5_000_000, seed: 81), partition: 32_256..<3 * band + 1536,
        free: [4096..<8192, 1_000_448 / 4096 * 4096..<4_000_256 / 4096 * 4096, band - 8192..<2 * band + 4096, 3 * band - 40_960..<3 * band - 32_768])

    private func backup(_ disk: Disk, _ options: BackupOptions = BackupOptions()) throws -> BackupReport {
        let identity = SourceIdentity(kind: .file, imageName: "disk", path: "/images/disk")
        return try fixture.repository.backup(
            [BackupSource(disk.reader, identity: identity, layout: disk.layout)], options: options, progress: ProgressCounters(), cancellation: Cancellation())
    }

    /// Byte counts by kind in all maps of a snapshot.
    private func byteCounts(_ snapshot: Snapshot) throws -> [MapKind: UInt64] {
        let reader = fixture.repository.segmentReader(try fixture.repository.loadIndex(adoptsOrphans: true).index)
        var counts: [MapKind: UInt64] = [:]
        for volume in snapshot.manifest.images[0].volumes {
            let tree = MapTreeReader(reader, root: volume.root, geometry: volume.geometry)
            for band in 0..<volume.geometry.bandCount { for entry in try tree.bandMap(band).entries { counts[entry.kind, default: 0] += UInt64(entry.byteCount) } }
        }
        return counts
    }

    @Test func `what is not in use is neither read nor stored, and is recorded as unused`() throws {
        let report = try backup(disk)
        let freeByteCount = disk.free.reduce(0) { $0 + UInt64($1.count) }
        let counters = report.snapshot.manifest.counters
        #expect(counters.readByteCount == disk.reader.byteCount - freeByteCount && counters.newByteCount == counters.readByteCount)
        #expect(disk.reader.counters.bytesRead == counters.readByteCount)
        let image = report.snapshot.manifest.images[0]
        #expect(image.volumes.map(\.kind) == [.gap, .partition, .gap] && image.volumes.map(\.partition) == [nil, 1, nil])
        #expect(image.volumes[1].fileSystem == ["type": "ext4", "uuid": "uuid-1"] && image.byteCount == disk.reader.byteCount)
        #expect(try byteCounts(report.snapshot) == [.unused: freeByteCount, .data: counters.readByteCount])
        #expect(try fixture.restore(report.snapshot) == disk.expected)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `an unchanged disk is recognised, unused ranges too`() throws {
        let first = try backup(disk).snapshot
        let second = try backup(disk)
        #expect(second.snapshot.manifest.parent == first.id && second.snapshot.manifest.counters.newByteCount == 0)
        #expect(second.snapshot.manifest.images[0].volumes.map(\.root) == first.manifest.images[0].volumes.map(\.root))
    }

    @Test func `what was freed since is unused, though its bytes are still there, and what is in use again is read`() throws {
        _ = try backup(disk)
        var changed = disk
        changed.free = [4096..<16_384, 2_000_896 / 4096 * 4096..<6_000_640 / 4096 * 4096, Self.band + 4096..<2 * Self.band + 12_288]
        let report = try backup(changed)
        let freeByteCount = changed.free.reduce(0) { $0 + UInt64($1.count) }
        #expect(try byteCounts(report.snapshot)[.unused] == freeByteCount)
        #expect(try fixture.restore(report.snapshot) == changed.expected)
    }

    @Test(arguments: ["partition", "file system", "place"]) func `a partition that moved is recognised`(by key: String) throws {
        _ = try backup(disk)
        var moved = disk
        // The same bytes 1 MiB behind, so that the volume begins elsewhere.
        moved.reader = SyntheticImageReader(byteCount: disk.reader.byteCount, seed: 81)
        switch key {
        case "partition": moved.fileSystemID = "another"
        case "file system": moved.partitionID = "another"
        default: (moved.partitionID, moved.fileSystemID) = ("another", "another")
        }
        let layout = moved.layout
        let image = try #require(try fixture.repository.snapshots().snapshots.last).manifest.images[0]
        let found = VolumePairing(image).predecessor(of: layout.volumes[1], in: layout)
        #expect(found == image.volumes[1])
        #expect(VolumePairing(image).predecessor(of: layout.volumes[2], in: layout) == image.volumes[2])
        #expect(try backup(moved).snapshot.manifest.counters.newByteCount == 0)
    }

    @Test func `unreadable sectors are told by their place in the image, and those not in use are not missed`() throws {
        let place = disk.partition.lowerBound
        disk.reader.setUnreadable([512..<1024, place + 4096..<place + 4608, place + 512_000..<place + 512_512])
        let report = try backup(disk)
        #expect(report.unreadable.map(\.range) == [512..<1024, place + 512_000..<place + 512_512])
    }

    @Test func `a restore onto a target writes blocks that differ, and leaves what is not in use`() throws {
        let snapshot = try backup(disk).snapshot
        let source = disk.reader.bytes(in: 0..<disk.reader.byteCount)
        var target = source
        // In a gap, across the border of gap and partition, in the partition, and where nothing is in use.
        let changed = [100, 32_255, 32_256, 5_000_000, 5_000_001, Int(3 * Self.band) + 1_000_000]
        for place in changed + [Int(disk.partition.lowerBound) + 4100] { target[place] ^= 0xFF }
        let writer = MemoryImageWriter(contents: target)
        var options = RestoreOptions()
        options.verifies = true
        let report = try fixture.repository.restore(
            snapshot.manifest.images[0], to: writer, targetName: "memory", options: options, progress: ProgressCounters(), cancellation: Cancellation())
        for place in changed { target[place] ^= 0xFF }
        #expect(report.isVerified && writer.contents == target)
        let blocks = Set(changed.map { $0 / 4096 }).count
        #expect(writer.counters.written == report.writtenByteCount && report.writtenByteCount <= UInt64(blocks * 4096) && writer.counters.zeroed == 0)
    }

    @Test func `a restore onto other contents makes equal what is in use, and leaves the rest`() throws {
        let snapshot = try backup(disk).snapshot
        var expected = disk.reader.bytes(in: 0..<disk.reader.byteCount)
        let target = TestImages.random(byteCount: expected.count, seed: 31)
        for range in disk.free {
            let place = Int(disk.partition.lowerBound + range.lowerBound)..<Int(disk.partition.lowerBound + range.upperBound)
            expected.replaceSubrange(place, with: target[place])
        }
        let writer = MemoryImageWriter(contents: target)
        var options = RestoreOptions()
        options.verifies = true
        // In order, so that there are pieces which are compared behind such as are not, whatever the threads do.
        options.threadCount = 1
        let report = try fixture.repository.restore(
            snapshot.manifest.images[0], to: writer, targetName: "memory", options: options, progress: ProgressCounters(), cancellation: Cancellation())
        let isEqual = writer.contents == expected
        #expect(isEqual && report.isVerified)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `a restore onto a target that differs in many places makes it equal, and writes its blocks`(seed: UInt64) throws {
        let snapshot = try backup(disk).snapshot
        let source = disk.reader.bytes(in: 0..<disk.reader.byteCount)
        var target = source
        var generator = SeededGenerator(seed: seed)
        let free = disk.free.map { Int(disk.partition.lowerBound + $0.lowerBound)..<Int(disk.partition.lowerBound + $0.upperBound) }
        var changed: Set<Int> = []
        while changed.count < 300 {
            let place = Int.random(in: 0..<source.count, using: &generator)
            guard !free.contains(where: { $0.contains(place) }) else { continue }
            // Two bytes, some of them on both sides of a border of blocks.
            for place in [place, place / 4096 * 4096 + 4095, place / 4096 * 4096 + 4096].prefix(changed.count % 3 + 1) where place < source.count && !free.contains(where: { $0.contains(place) }) {
                if changed.insert(place).inserted { target[place] ^= 0xA5 }
            }
        }
        let writer = MemoryImageWriter(contents: target)
        let report = try fixture.repository.restore(
            snapshot.manifest.images[0], to: writer, targetName: "memory", options: RestoreOptions(), progress: ProgressCounters(), cancellation: Cancellation())
        // Not compared inside: fifty megabytes that differ take minutes to print.
        let isEqual = writer.contents == source
        #expect(isEqual)
        #expect(report.writtenByteCount == writer.counters.written && report.writtenByteCount <= UInt64(Set(changed.map { $0 / 4096 }).count * 4096))
        // Whole blocks, but for some that reach into another band, or into what was compared with the next piece.
        let whole = writer.writtenRanges.filter { $0.lowerBound % 4096 == 0 && $0.upperBound % 4096 == 0 }
        #expect(writer.writtenRanges.count > 100 && whole.count * 10 > writer.writtenRanges.count * 9)
    }

    @Test func `a stream gets zeros where nothing is in use`() throws {
        let snapshot = try backup(disk).snapshot
        let writer = MemoryImageWriter(isOrdered: true)
        _ = try fixture.repository.restore(
            snapshot.manifest.images[0], to: writer, targetName: "memory", options: RestoreOptions(), progress: ProgressCounters(), cancellation: Cancellation())
        #expect(writer.contents == disk.expected)
    }

    @Test func `volumes that do not cover their source are refused`() throws {
        for volumes in [[], [SourceVolume(kind: .whole, range: 0..<5)], [SourceVolume(kind: .gap, range: 1..<disk.reader.byteCount)]] {
            let identity = SourceIdentity(kind: .file, imageName: "disk", path: "/images/disk")
            let source = BackupSource(disk.reader, identity: identity, layout: SourceLayout(label: .null, volumes: volumes))
            #expect(throws: RepositoryError.self) {
                try fixture.repository.backup([source], options: BackupOptions(), progress: ProgressCounters(), cancellation: Cancellation())
            }
        }
    }
}
