import Bytes
import DiskImages
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import Testing
import TestSupport

/// Backups that read what a change map calls changed, and audit the rest.
struct ChangedBlockTests {
    private static let band = 16 << 20

    private let storage = MemoryStorage()
    private let fixture: RepositoryFixture

    init() throws { fixture = try RepositoryFixture(storage) }

    /// Everything is the same but these ranges.
    static func map(_ byteCount: Int, data: [Range<Int>] = [], zero: [Range<Int>] = []) -> ChangeMap {
        var map = ChangeMap()
        for (range, kind) in (data.map { ($0, ChangeMap.Kind.data) } + zero.map { ($0, .zero) }).sorted(by: { $0.0.lowerBound < $1.0.lowerBound }) {
            map.append(.same, byteCount: UInt64(range.lowerBound) - map.byteCount)
            map.append(kind, byteCount: UInt64(range.count))
        }
        map.append(.same, byteCount: UInt64(byteCount) - map.byteCount)
        return map
    }

    static func tracking(_ map: ChangeMap?, since: String? = "1", generation: String? = "2", id: String = "vg/root", kind: ChangeTracking.Kind = .map) -> ChangeTracking {
        ChangeTracking(kind: kind, id: id, since: since, generation: generation, map: map)
    }

    private func backup(_ reader: any ImageReader, _ tracking: ChangeTracking?, audit: Double = 0, layout: SourceLayout? = nil, parent: ParentChoice = .automatic) throws -> BackupReport {
        var options = BackupOptions()
        options.auditShare = audit
        options.parent = parent
        let identity = SourceIdentity(kind: .file, imageName: "disk", path: "/images/disk")
        return try fixture.repository.backup(
            [BackupSource(reader, identity: identity, layout: layout, tracking: tracking)], options: options, progress: ProgressCounters(), cancellation: Cancellation())
    }

    /// A first snapshot at generation 1.
    private func begin(_ bytes: [UInt8], layout: SourceLayout? = nil) throws -> Snapshot {
        try backup(MemoryImageReader(bytes), Self.tracking(nil, since: nil, generation: "1"), layout: layout).snapshot
    }

    private func outcome(_ report: BackupReport) throws -> ChangeMapUse.Outcome { try #require(report.changeMaps.first).outcome }

    @Test func `only what changed is read, and what is known to tell of everything`() throws {
        let bytes = TestImages.random(byteCount: 3 * Self.band, seed: 1)
        _ = try begin(bytes)
        var changed = bytes
        let range = Self.band + 5_000_000..<Self.band + 5_065_536
        changed.replaceSubrange(range, with: TestImages.random(byteCount: range.count, seed: 2))
        let reader = CountedImageReader(changed)
        let report = try backup(reader, Self.tracking(Self.map(changed.count, data: [range])))
        // The first 4 MiB, the last one, and the changed range with the chunks that it cuts.
        #expect(reader.readByteCount < 5 << 20 + 2 * 65_536 + 128 << 10 + UInt64(range.count))
        #expect(reader.wasRead(UInt64(range.lowerBound)) && !reader.wasRead(UInt64(Self.band) + 3_000_000) && !reader.wasRead(2 * UInt64(Self.band)))
        let counters = report.snapshot.manifest.counters
        #expect(counters.readByteCount <= reader.readByteCount && counters.newByteCount < 3 * 65_536)
        #expect(counters.auditedByteCount >= 5 << 20 && counters.auditedByteCount < 6 << 20)
        #expect(counters.takenByteCount > UInt64(changed.count) - 3 * 65_536 && counters.takenByteCount < UInt64(changed.count))
        #expect(try outcome(report) == .used(takenByteCount: counters.takenByteCount, auditedByteCount: counters.auditedByteCount))
        #expect(report.warnings == [] && report.snapshot.manifest.images[0].changeTracker == ChangeTracker(kind: "map", id: "vg/root", generation: "2"))
        #expect(try fixture.restore(report.snapshot) == changed)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `with nothing changed a snapshot is the parent's maps, and nothing is stored anew`() throws {
        let bytes = TestImages.mixed(byteCount: 2 * Self.band + 77_777, seed: 3)
        let first = try begin(bytes)
        let report = try backup(CountedImageReader(bytes), Self.tracking(Self.map(bytes.count)), audit: 0.01)
        #expect(report.snapshot.manifest.images[0].volumes == first.manifest.images[0].volumes)
        #expect(report.snapshot.manifest.counters.newByteCount == 0 && report.dataPackCount == 0)
        #expect(report.snapshot.manifest.counters.chunkCount == first.manifest.counters.chunkCount)
    }

    @Test(arguments: 0..<4) func `whatever changes, with a map that is right a snapshot is what the source held`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var bytes = TestImages.mixed(byteCount: Int.random(in: 1...20_000_000, using: &generator), seed: seed)
        _ = try begin(bytes)
        for generation in 1...2 {
            var ranges: [Range<Int>] = []
            var zeros: [Range<Int>] = []
            var place = 0
            while place < bytes.count {
                let start = min(bytes.count, place + Int.random(in: 0...5_000_000, using: &generator))
                let end = min(bytes.count, start + Int.random(in: 1...300_000, using: &generator))
                if start == end { break }
                switch Int.random(in: 0..<4, using: &generator) {
                case 0:
                    bytes.replaceSubrange(start..<end, with: [UInt8](repeating: 0, count: end - start))
                    zeros.append(start..<end)
                case 1: ranges.append(start..<end)  // Written with what stood there.
                default:
                    bytes.replaceSubrange(start..<end, with: generator.bytes(end - start))
                    ranges.append(start..<end)
                }
                place = end
            }
            let reader = CountedImageReader(bytes, reportsZeros: seed < 2)
            let tracking = Self.tracking(Self.map(bytes.count, data: ranges, zero: zeros), since: "\(generation)", generation: "\(generation + 1)")
            let report = try backup(reader, tracking, audit: [0, 0.01, 0.3, 1][Int(seed % 4)])
            guard case .used = try outcome(report) else { Issue.record("\(report.changeMaps)"); return }
            let isRestored = try fixture.restore(report.snapshot) == bytes
            #expect(isRestored)
            let again = try fixture.backup(bytes)
            #expect(again.snapshot.manifest.counters.newByteCount == 0)
        }
        #expect(try fixture.check(.all).problems == [])
    }

    @Test(arguments: [0, 20_000_000, 3 * 16 << 20 - 1]) func `a map that is wrong is found out, everything is read, and it is said loudly`(place: Int) throws {
        let bytes = TestImages.random(byteCount: 3 * Self.band, seed: 4)
        let first = try begin(bytes)
        var changed = bytes
        changed[place] ^= 1
        let reader = CountedImageReader(changed)
        // The metadata at both ends are audited however small the share is.
        let report = try backup(reader, Self.tracking(Self.map(bytes.count, data: [9_000_000..<9_000_100])), audit: place == 20_000_000 ? 1 : 0)
        guard case .refuted(let found) = try outcome(report) else { Issue.record("\(report.changeMaps)"); return }
        #expect(found <= UInt64(place) && UInt64(place) - found < 256 << 10)
        #expect(report.warnings.contains { $0.contains("THE CHANGE MAP IS WRONG") })
        #expect(reader.readByteCount >= UInt64(bytes.count))
        let manifest = report.snapshot.manifest
        #expect(manifest.images[0].changeTracker == nil && manifest.counters.takenByteCount == 0 && manifest.parent == first.id)
        #expect(manifest.counters.chunkCount > 0 && manifest.counters.newByteCount < 300_000)
        #expect(try fixture.restore(report.snapshot) == changed)
        #expect(try fixture.check(.all).problems == [])
    }

    /// Without an audit nobody would know: this is what it is for.
    @Test func `a map that is wrong where nothing is audited makes a wrong snapshot`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 5)
        _ = try begin(bytes)
        var changed = bytes
        changed[20_000_000] ^= 1
        let report = try backup(CountedImageReader(changed), Self.tracking(Self.map(bytes.count)))
        #expect(try fixture.restore(report.snapshot) == bytes)
    }

    @Test func `zeros that a map tells of are not read, and are audited`() throws {
        var bytes = TestImages.random(byteCount: 3 * Self.band, seed: 6)
        _ = try begin(bytes)
        let zeros = 15_000_000..<40_000_001
        bytes.replaceSubrange(zeros, with: [UInt8](repeating: 0, count: zeros.count))
        let honest = CountedImageReader(bytes)
        let report = try backup(honest, Self.tracking(Self.map(bytes.count, zero: [zeros])))
        #expect(!honest.wasRead(20_000_000) && honest.readByteCount < 6 << 20)
        #expect(try fixture.restore(report.snapshot) == bytes)
        bytes[30_000_000] = 1
        let lying = try backup(CountedImageReader(bytes), Self.tracking(Self.map(bytes.count, zero: [zeros]), since: "2"), audit: 1)
        guard case .refuted(let found) = try outcome(lying) else { Issue.record("\(lying.changeMaps)"); return }
        #expect(found <= 30_000_000 && 30_000_000 - found < 256 << 10)
        #expect(try fixture.restore(lying.snapshot) == bytes)
    }

    @Test func `a hole where there were data refutes a map that calls it the same`() throws {
        var bytes = TestImages.random(byteCount: 2 * Self.band, seed: 7)
        _ = try begin(bytes)
        bytes.replaceSubrange(20_000_768..<20_480_000, with: [UInt8](repeating: 0, count: 479_232))
        let report = try backup(CountedImageReader(bytes, reportsZeros: true), Self.tracking(Self.map(bytes.count)))
        guard case .refuted = try outcome(report) else { Issue.record("\(report.changeMaps)"); return }
        #expect(try fixture.restore(report.snapshot) == bytes)
    }

    static let misfits: [(String, ChangeTracking)] = [
        ("another source", tracking(map(2 * band), id: "vg/home")), ("another moment", tracking(map(2 * band), since: "0")),
        ("another kind", tracking(map(2 * band), kind: .bitmap)), ("no moment", tracking(map(2 * band), since: nil)), ("no map", tracking(nil)),
        ("another size", tracking(map(2 * band - 512))),
    ]

    @Test(arguments: misfits.map(\.0)) func `a map that does not fit is not used, silently`(kind: String) throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 8)
        _ = try begin(bytes)
        var changed = bytes
        changed[20_000_000] ^= 1
        let tracking = try #require(Self.misfits.first { $0.0 == kind }).1
        let reader = CountedImageReader(changed)
        let report = try backup(reader, tracking)
        guard case .unused = try outcome(report) else { Issue.record("\(report.changeMaps)"); return }
        #expect(report.warnings == [] && reader.readByteCount >= UInt64(bytes.count))
        #expect(report.snapshot.manifest.images[0].changeTracker?.generation == "2")
        #expect(try fixture.restore(report.snapshot) == changed)
    }

    @Test func `a source of another size than its parent is read whole, and so is one without parent`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 9)
        let none = try backup(MemoryImageReader(bytes), Self.tracking(Self.map(bytes.count)))
        #expect(try outcome(none) == .unused(reason: "there is no snapshot of the image to begin at"))
        let longer = bytes + [1, 2, 3]
        let reader = CountedImageReader(longer)
        let report = try backup(reader, Self.tracking(Self.map(longer.count), since: "2", generation: "3"))
        guard case .unused = try outcome(report) else { Issue.record("\(report.changeMaps)"); return }
        #expect(reader.readByteCount >= UInt64(longer.count))
    }

    @Test func `the snapshot from which a map tells is the parent, whatever came after it`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 10)
        let first = try begin(bytes)
        var other = bytes
        other[20_000_000] ^= 1
        _ = try fixture.backup(other)
        let report = try backup(CountedImageReader(bytes), Self.tracking(Self.map(bytes.count)))
        #expect(report.snapshot.manifest.parent == first.id)
        #expect(try fixture.restore(report.snapshot) == bytes)
    }

    @Test func `a chunk that got lost is read and stored again, though it is unchanged`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 11)
        _ = try begin(bytes)
        let pack = try #require(try storage.list(.packs).last)
        try storage.delete(pack.name)
        let other = try RepositoryFixture(opening: storage, like: fixture)
        let identity = SourceIdentity(kind: .file, imageName: "disk", path: "/images/disk")
        var options = BackupOptions()
        options.auditShare = 0
        let report = try other.repository.backup(
            [BackupSource(MemoryImageReader(bytes), identity: identity, tracking: Self.tracking(Self.map(bytes.count)))], options: options, progress: ProgressCounters(),
            cancellation: Cancellation())
        #expect(report.snapshot.manifest.counters.newByteCount > 0)
        #expect(try other.restore(report.snapshot) == bytes)
    }

    @Test func `what cannot be read in an audit is told, and refutes nothing`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 12)
        _ = try begin(bytes)
        let dead: Range<UInt64> = 20_000_256..<20_000_768
        let report = try backup(CountedImageReader(bytes, unreadable: dead), Self.tracking(Self.map(bytes.count)), audit: 1)
        guard case .used = try outcome(report) else { Issue.record("\(report.changeMaps)"); return }
        #expect(report.unreadable.allSatisfy { $0.range.overlaps(dead) } && !report.unreadable.isEmpty && !report.snapshot.manifest.isComplete)
    }

    @Test func `a map of a disk is that of its volumes, each in its place`() throws {
        let bytes = TestImages.random(byteCount: 4 * Self.band, seed: 13)
        let free: [Range<UInt64>] = [40_960..<81_920, 1 << 24..<1 << 24 + 1 << 20]
        func layout(_ free: [Range<UInt64>]) -> SourceLayout {
            SourceLayout(
                label: .null,
                volumes: [
                    SourceVolume(kind: .gap, range: 0..<1_048_576 + 512),
                    SourceVolume(kind: .partition, partition: 1, range: 1_048_576 + 512..<50_000_384, fileSystem: ["uuid": "u"], free: free),
                    SourceVolume(kind: .gap, range: 50_000_384..<UInt64(bytes.count)),
                ])
        }
        func shown(_ bytes: [UInt8], _ free: [Range<UInt64>]) -> [UInt8] {
            var bytes = bytes
            for range in free { for place in range { bytes[Int(place) + 1_048_576 + 512] = 0 } }
            return bytes
        }
        _ = try begin(bytes, layout: layout(free))
        var changed = bytes
        let ranges = [30_000_000..<30_004_096, 55_000_000..<55_000_512]
        for range in ranges { for place in range { changed[place] ^= 0xFF } }
        let reader = CountedImageReader(changed)
        // What was free is in use again without having been written to; what was in use is free.
        let later: [Range<UInt64>] = [40_960..<65_536, 20_000_768..<20_480_000]
        let report = try backup(reader, Self.tracking(Self.map(bytes.count, data: ranges)), layout: layout(later))
        guard case .used = try outcome(report) else { Issue.record("\(report.changeMaps)"); return }
        let isRestored = try fixture.restore(report.snapshot) == shown(changed, later)
        #expect(isRestored)
        #expect(reader.wasRead(30_000_000) && reader.wasRead(55_000_000) && !reader.wasRead(45_000_000) && reader.readByteCount < 6 << 20)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `a map says nothing of a partition that begins elsewhere now`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 14)
        func layout(_ start: UInt64) -> SourceLayout {
            SourceLayout(
                label: .null,
                volumes: [
                    SourceVolume(kind: .gap, range: 0..<start),
                    SourceVolume(kind: .partition, partition: 1, range: start..<start + 20_480_000, fileSystem: ["uuid": "u"]),
                    SourceVolume(kind: .gap, range: start + 20_480_000..<UInt64(bytes.count)),
                ])
        }
        _ = try begin(bytes, layout: layout(1_048_576))
        // The table was written anew, and nothing else.
        let report = try backup(CountedImageReader(bytes), Self.tracking(Self.map(bytes.count)), layout: layout(2_097_152))
        guard case .used = try outcome(report) else { Issue.record("\(report.changeMaps)"); return }
        let isRestored = try fixture.restore(report.snapshot) == bytes
        #expect(isRestored)
    }
}
