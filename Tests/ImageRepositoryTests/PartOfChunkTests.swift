import Bytes
import DiskImages
import Foundation
import ImageFixtures
@testable import ImageRepository
import Packing
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Testing
import TestSupport

/// References to parts of chunks, by the fingerprints of blocks that a machine keeps in its cache.
struct PartOfChunkTests {
    private static let block = 4096
    private static let band = 16 << 20
    /// What a changed block costs: pieces of chunks at its edges that are too small to be referred to come with it.
    private static let isBlock = block..<block + 2 * KeptEntries.partByteCountMin

    private let cache = TemporaryFolder()
    private let storage = MemoryStorage()
    private let fixture: RepositoryFixture

    init() throws {
        let first = try RepositoryFixture(storage)
        fixture = try RepositoryFixture(opening: storage, like: first, environment: Self.environment(cache.path))
    }

    private static func environment(_ cacheFolder: String?) -> ClientEnvironment {
        var environment = RepositoryFixture.environment()
        environment.cacheFolder = cacheFolder
        return environment
    }

    private var blockFolder: String { "\(cache.path)/\(fixture.repository.id.hexadecimal)/blocks" }

    /// The file with the fingerprints of the only volume.
    private func blockFile() throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: blockFolder)
        return "\(blockFolder)/\(try #require(names.count == 1 ? names.first : nil))"
    }

    private func change(_ bytes: [UInt8], blocks: [Int], seed: UInt64) -> [UInt8] {
        var changed = bytes
        for (number, block) in blocks.enumerated() {
            let range = block * Self.block..<min((block + 1) * Self.block, bytes.count)
            changed.replaceSubrange(range, with: TestImages.random(byteCount: range.count, seed: seed &* 1000 &+ UInt64(number)))
        }
        return changed
    }

    /// The entries of the only volume, with their bands.
    private func entries(_ snapshot: Snapshot) throws -> [[MapEntry]] {
        let volume = snapshot.manifest.images[0].volumes[0]
        let reader = MapTreeReader(fixture.repository.segmentReader(try fixture.repository.loadIndex().index), root: volume.root, geometry: volume.geometry)
        return try (0..<volume.geometry.bandCount).map { try reader.bandMap($0).entries }
    }

    private func newByteCount(_ report: BackupReport) -> Int { Int(report.snapshot.manifest.counters.newByteCount) }

    @Test func `a changed block costs a block, and the rest of its chunk is referred to`() throws {
        let bytes = TestImages.random(byteCount: 3 * Self.band, seed: 1)
        _ = try fixture.backup(bytes)
        let changed = change(bytes, blocks: [5000], seed: 2)
        let report = try fixture.backup(changed)
        #expect(Self.isBlock.contains(newByteCount(report)) && report.snapshot.manifest.counters.newChunkCount == 1)
        #expect(try entries(report.snapshot)[1].contains { $0.chunkOffset > 0 })
        #expect(try fixture.restore(report.snapshot) == changed)
        // The parts are recognised as such, and can change themselves.
        let again = try fixture.backup(changed)
        #expect(newByteCount(again) == 0 && again.snapshot.manifest.images[0].volumes == report.snapshot.manifest.images[0].volumes)
        let twice = change(changed, blocks: [4999, 5001], seed: 3)
        let next = try fixture.backup(twice)
        // Of a short chunk less than a third may be left, which is stored again too.
        #expect(newByteCount(next) <= 3 * Self.block + 16 << 10)
        #expect(try fixture.restore(next.snapshot) == twice)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `without a cache, with rehashing and without a parent whole chunks are stored`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 4)
        _ = try fixture.backup(bytes)
        let changed = change(bytes, blocks: [2000], seed: 5)
        let other = try RepositoryFixture(opening: storage, like: fixture)
        #expect(newByteCount(try other.backup(changed)) > 2 * Self.block)
        var options = BackupOptions()
        options.rehashes = true
        let rehashed = try fixture.backup(change(bytes, blocks: [1000], seed: 6), options: options)
        #expect(newByteCount(rehashed) > 2 * Self.block)
        #expect(try entries(rehashed.snapshot).joined().allSatisfy { $0.chunkOffset == 0 })
    }

    /// Every kind of change, read whole or by a map of changes, on one thread and several; each snapshot is what the source held, also when those before it are gone.
    @Test(arguments: 0..<12) func `whatever changes, a snapshot is what the source held`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var bytes = TestImages.mixed(byteCount: Int.random(in: 1...24_000_000, using: &generator), seed: seed)
        var options = BackupOptions()
        options.threadCount = Int(seed % 3) + 1
        options.auditShare = 0.01
        var snapshots: [(Snapshot, [UInt8])] = []
        for generation in 0..<5 {
            var ranges: [Range<Int>] = []
            for _ in 0..<(generation == 0 ? 0 : Int.random(in: 0...60, using: &generator)) {
                let start = Int.random(in: 0..<bytes.count, using: &generator)
                let block = start / Self.block * Self.block
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: ranges.append(start..<min(bytes.count, start + Int.random(in: 1...200_000, using: &generator)))
                case 1: ranges.append(start..<start + 1)
                default: ranges.append(block..<min(bytes.count, block + Self.block * Int.random(in: 1...3, using: &generator)))
                }
                let range = ranges[ranges.count - 1]
                let isZeroed = Int.random(in: 0..<6, using: &generator) == 0
                bytes.replaceSubrange(range, with: isZeroed ? [UInt8](repeating: 0, count: range.count) : generator.bytes(range.count))
            }
            let isTracked = generation > 0 && Bool.random(using: &generator)
            let tracking = ChangedBlockTests.tracking(
                isTracked ? ChangedBlockTests.map(bytes.count, data: Self.joined(ranges)) : nil, since: "\(generation)", generation: "\(generation + 1)")
            let identity = SourceIdentity(kind: .file, imageName: "disk", path: "/images/disk")
            let report = try fixture.repository.backup(
                [BackupSource(CountedImageReader(bytes, reportsZeros: Bool.random(using: &generator)), identity: identity, tracking: tracking)], options: options,
                progress: ProgressCounters(), cancellation: Cancellation())
            #expect(report.warnings == [])
            let isRestored = try fixture.restore(report.snapshot) == bytes
            #expect(isRestored)
            snapshots.append((report.snapshot, bytes))
        }
        let again = try fixture.backup(bytes)
        #expect(newByteCount(again) == 0)
        _ = try fixture.repository.mark(snapshots.dropLast().map(\.0), .forget)
        for _ in 0..<2 { _ = try fixture.repository.prune(cancellation: Cancellation()) }
        let last = try #require(snapshots.last)
        let isRestored = try fixture.restore(last.0) == last.1
        #expect(isRestored)
        #expect(try fixture.check(.all).problems == [])
    }

    private func backup(_ bytes: [UInt8], free: [Range<UInt64>] = [], unreadable: Range<UInt64> = 0..<0, threadCount: Int = 2) throws -> BackupReport {
        let layout = SourceLayout(label: .null, volumes: [SourceVolume(kind: .whole, range: 0..<UInt64(bytes.count), free: free)])
        var options = BackupOptions()
        options.threadCount = threadCount
        return try fixture.repository.backup(
            [BackupSource(CountedImageReader(bytes, unreadable: unreadable), identity: SourceIdentity(kind: .file, imageName: "disk", path: "/images/disk"), layout: layout)],
            options: options, progress: ProgressCounters(), cancellation: Cancellation())
    }

    @Test func `of what is not in use any more nothing is stored, nor of what lies beside it`() throws {
        let bytes = TestImages.random(byteCount: Self.band, seed: 24)
        _ = try backup(bytes)
        let free = (0..<60).map { UInt64($0 * 65 * Self.block) }.map { $0..<$0 + UInt64(Self.block) }
        let report = try backup(bytes, free: free)
        var shown = bytes
        for range in free { for place in range { shown[Int(place)] = 0 } }
        let isRestored = try fixture.restore(report.snapshot) == shown
        #expect(isRestored)
        #expect(newByteCount(report) < free.count * 2 * KeptEntries.partByteCountMin + Self.block)
    }

    /// What is free and what cannot be read comes and goes, aligned to blocks and to sectors.
    @Test(arguments: 0..<8) func `gaps of all kinds are as they were told, and all else is what the source held`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed + 100)
        var bytes = TestImages.mixed(byteCount: Int.random(in: 300_000...20_000_000, using: &generator), seed: seed)
        for _ in 0..<6 {
            for _ in 0..<Int.random(in: 0...30, using: &generator) {
                let block = Int.random(in: 0...(bytes.count - 1) / Self.block, using: &generator) * Self.block
                let range = block..<min(bytes.count, block + Self.block * Int.random(in: 1...2, using: &generator))
                bytes.replaceSubrange(range, with: generator.bytes(range.count))
            }
            var free: [Range<UInt64>] = []
            var place: UInt64 = 0
            while true {
                place += UInt64(Int.random(in: 1...400, using: &generator) * Self.block)
                let end = place + UInt64(Int.random(in: 1...12, using: &generator) * Self.block)
                guard end < bytes.count else { break }
                free.append(place..<end)
                place = end
            }
            let sector = UInt64(Int.random(in: 0..<bytes.count / 512 - 40, using: &generator) * 512)
            let dead = sector..<sector + UInt64(Int.random(in: 1...40, using: &generator) * 512)
            let report = try backup(bytes, free: Bool.random(using: &generator) ? free : [], unreadable: Bool.random(using: &generator) ? dead : 0..<0, threadCount: Int(seed % 3) + 1)
            var shown = bytes
            let volume = report.snapshot.manifest.images[0].volumes[0]
            var position = 0
            var unreadableByteCount = 0
            for (band, entries) in try entries(report.snapshot).enumerated() {
                #expect(entries.reduce(0) { $0 + Int($1.byteCount) } == volume.geometry.bandByteCount(UInt64(band)))
                for entry in entries {
                    let range = position..<position + Int(entry.byteCount)
                    position = range.upperBound
                    if entry.kind == .unreadable { unreadableByteCount += range.count }
                    if entry.kind != .data { shown.replaceSubrange(range, with: [UInt8](repeating: 0, count: range.count)) }
                    if entry.kind == .zero { #expect(bytes[range].allSatisfy { $0 == 0 }) }
                    if entry.kind == .unused { #expect(free.contains { Int($0.lowerBound) <= range.lowerBound && Int($0.upperBound) >= range.upperBound }) }
                }
            }
            #expect(unreadableByteCount == report.unreadable.reduce(0) { $0 + $1.range.count })
            let isRestored = try fixture.restore(report.snapshot) == shown
            #expect(isRestored)
        }
        #expect(try fixture.check(.all).problems == [])
    }

    private static func joined(_ ranges: [Range<Int>]) -> [Range<Int>] {
        ranges.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { joined, range in
            if let last = joined.last, last.upperBound >= range.lowerBound {
                joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
    }

    @Test func `a chunk that is hardly used any more is let go of`() throws {
        var bytes = TestImages.random(byteCount: Self.band, seed: 7)
        _ = try fixture.backup(bytes)
        var generator = SeededGenerator(seed: 8)
        var stored = bytes.count
        for generation in 0..<12 {
            let blocks = (0..<800).map { _ in Int.random(in: 0..<4096, using: &generator) }
            bytes = change(bytes, blocks: blocks, seed: UInt64(10 + generation))
            let report = try fixture.backup(bytes)
            stored += newByteCount(report)
            let index = try fixture.repository.loadIndex().index
            var used: [ChunkID: Int] = [:]
            var untouched: Set<ChunkID> = []
            var position = 0
            for entry in try entries(report.snapshot)[0] {
                // What lies before all changes is taken as it was.
                if position < blocks.min()! * Self.block { untouched.insert(entry.chunk) }
                used[entry.chunk, default: 0] += Int(entry.byteCount)
                position += Int(entry.byteCount)
            }
            for (chunk, byteCount) in used where !untouched.contains(chunk) { #expect(try byteCount * 3 >= #require(index.location(chunk)).byteCount) }
        }
        // 800 draws hit some 730 different blocks: 35 MB in all, and what had to be stored again beside them.
        #expect(stored < bytes.count + 12 * 730 * Self.block * 2)
        #expect(try fixture.check(.all).problems == [])
    }

    /// A part that is not what was backed up, which takes two blocks with the same fingerprint: forged here.
    @Test func `a check compares parts with their chunks, and a backup with rehashing mends them`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 20)
        let first = try fixture.backup(bytes).snapshot
        let sound = try fixture.backup(change(bytes, blocks: [1000], seed: 21))
        #expect(try entries(sound.snapshot)[0].contains { $0.chunkOffset > 0 })
        let clean = try fixture.check(.all)
        #expect(clean.problems == [] && clean.comparedPartCount > 0 && clean.partSample == 1)
        // Of the band behind, what the next backup will find in block 6002 seems to be what it was.
        let changed = change(bytes, blocks: [6000, 6002], seed: 22)
        try forgeFingerprint(of: 6002 - Self.band / Self.block, in: 1, of: sound.snapshot, as: Array(changed[6002 * Self.block..<6003 * Self.block]))
        let wrong = try fixture.backup(changed).snapshot
        #expect(try fixture.restore(wrong) != changed)

        #expect(try fixture.check(.structure).problems == [])
        let report = try fixture.check(.all)
        #expect(!report.isClean && report.problems.allSatisfy { $0.object.hasPrefix("chunk ") && $0.snapshots == [wrong.id.hexadecimal] && $0.reason.contains("--rehash") })
        var looking = RepairOptions()
        looking.data = .all
        let repair = try fixture.repository.repair(looking, progress: ProgressCounters(), cancellation: Cancellation())
        let lost = try #require(repair.lost.first)
        #expect(repair.lost.count == 1 && lost.snapshot == wrong.id && lost.ranges.contains { $0.contains(UInt64(6002 * Self.block)) })
        // No pack is to blame, and no other snapshot.
        #expect(try fixture.restore(first) == bytes && fixture.check(.structure).problems == [])

        var options = BackupOptions()
        options.rehashes = true
        let mended = try fixture.backup(changed, options: options).snapshot
        #expect(try fixture.restore(mended) == changed)
        #expect(try fixture.check(.all).problems.allSatisfy { $0.snapshots == [wrong.id.hexadecimal] })
    }

    private func forgeFingerprint(of block: Int, in band: UInt64, of snapshot: Snapshot, as bytes: [UInt8]) throws {
        let volume = snapshot.manifest.images[0].volumes[0]
        let tree = MapTreeReader(fixture.repository.segmentReader(try fixture.repository.loadIndex().index), root: volume.root, geometry: volume.geometry)
        let member = fixture.repository.sealer.member
        let map = unsafe try tree.bandMap(band).encoded.withUnsafeBytes { unsafe member.chunkID(.map, $0) }
        let folder = BlockCacheFolder(path: blockFolder, host: snapshot.manifest.host, member: member)
        let cache = try #require(folder.open(image: snapshot.manifest.images[0].name, volume: 0).cache)
        var blocks = BandBlocks()
        let slot = try #require(cache.load(band, map, into: &blocks))
        blocks[block] = unsafe bytes.withUnsafeBytes { unsafe member.blockFingerprint($0) }
        cache.store(&blocks, band, map, parent: slot.other)
    }

    @Test(arguments: ["map id", "tag", "padding", "fingerprint", "cut off", "empty", "another band's"]) func `a cache that is damaged costs space and nothing else`(damage: String) throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 9)
        _ = try fixture.backup(bytes)
        let path = try blockFile()
        var file = [UInt8](try Data(contentsOf: URL(filePath: path)))
        // Two records for each band, of which the second is used by the next backup.
        #expect(file.count == 3 * BandBlocks.byteCount)
        let block = 3000
        switch damage {
        case "map id": file[8] ^= 1
        case "tag": file[47] ^= 0x80
        case "padding": file[4000] = 1
        case "fingerprint": file[4096 + 8 * block] ^= 1
        case "cut off": file.removeLast(file.count - BandBlocks.byteCount + 1)
        case "empty": file = []
        default: file.replaceSubrange(0..<BandBlocks.byteCount, with: file[(2 * BandBlocks.byteCount)...])
        }
        try Data(file).write(to: URL(filePath: path))
        let changed = change(bytes, blocks: [block], seed: 11)
        let report = try fixture.backup(changed)
        #expect(newByteCount(report) > 2 * Self.block && report.warnings == [])
        #expect(try fixture.restore(report.snapshot) == changed)
        // Behind the changed chunk it is known again.
        let next = change(changed, blocks: [block + 100], seed: 12)
        #expect(Self.isBlock.contains(newByteCount(try fixture.backup(next))))
    }

    /// One that fails, one that is never complete: neither is the parent of the next.
    @Test func `what comes to nothing takes nothing from the next`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 25)
        _ = try backup(bytes)
        for attempt in 0..<3 {
            let changed = change(bytes, blocks: [100, 5000], seed: 26 + UInt64(attempt))
            let report = try backup(changed, unreadable: 20_000_256..<20_000_768)
            #expect(!report.snapshot.manifest.isComplete && newByteCount(report) < 2 * Self.block + 128 << 10)
        }
        let changed = change(bytes, blocks: [100, 5000], seed: 26)
        let report = try backup(changed)
        #expect(newByteCount(report) == 0, "the same pieces, which are there")
        #expect(try fixture.restore(report.snapshot) == changed)
    }

    /// By a map of changes, in which what is unchanged is never looked at; nil for the first backup.
    private func backup(_ bytes: [UInt8], changed blocks: [Int]?, _ generation: Int) throws -> BackupReport {
        var options = BackupOptions()
        options.auditShare = 0
        let ranges = blocks.map { $0.map { $0 * Self.block..<($0 + 1) * Self.block } }
        let tracking = ChangedBlockTests.tracking(
            ranges.map { ChangedBlockTests.map(bytes.count, data: Self.joined($0)) }, since: "\(generation - 1)", generation: "\(generation)")
        let identity = SourceIdentity(kind: .file, imageName: "disk", path: "/images/disk")
        return try fixture.repository.backup(
            [BackupSource(CountedImageReader(bytes), identity: identity, tracking: tracking)], options: options, progress: ProgressCounters(), cancellation: Cancellation())
    }

    @Test func `of what a map of changes leaves unread the fingerprints are kept`() throws {
        var bytes = TestImages.random(byteCount: Self.band, seed: 33)
        _ = try backup(bytes, changed: nil, 1)
        for (generation, block) in [2000, 3000, 1000].enumerated() {
            bytes = change(bytes, blocks: [block], seed: 34 + UInt64(generation))
            let report = try backup(bytes, changed: [block], generation + 2)
            #expect(Self.isBlock.contains(newByteCount(report)) && report.snapshot.manifest.counters.takenByteCount > 0)
            let isRestored = try fixture.restore(report.snapshot) == bytes
            #expect(isRestored)
        }
    }

    @Test func `by a map of changes too, what is hardly used is read and stored again`() throws {
        let bytes = TestImages.random(byteCount: 2 * Self.band, seed: 30)
        _ = try backup(bytes, changed: nil, 1)
        // Neighbours of each ninth block, then all but those: what stays is an eleventh of a chunk, more or less.
        let first = (0..<8192).filter { $0 % 9 == 1 || $0 % 9 == 8 }
        let once = change(bytes, blocks: first, seed: 31)
        let report = try backup(once, changed: first, 2)
        #expect(newByteCount(report) < first.count * (Self.block + 512) * 3 / 2)
        #expect(try entries(report.snapshot).joined().contains { $0.chunkOffset > 0 })
        let second = (0..<8192).filter { (2...7).contains($0 % 9) }
        let twice = change(once, blocks: second, seed: 32)
        let next = try backup(twice, changed: second, 3)
        #expect(next.snapshot.manifest.counters.takenByteCount > 0)
        let index = try fixture.repository.loadIndex().index
        for band in try entries(next.snapshot) {
            var used: [ChunkID: Int] = [:]
            for entry in band { used[entry.chunk, default: 0] += Int(entry.byteCount) }
            for (chunk, byteCount) in used { #expect(try byteCount * 3 >= #require(index.location(chunk)).byteCount) }
        }
        let isRestored = try fixture.restore(next.snapshot) == twice
        #expect(isRestored)
    }

    @Test func `fingerprints of another snapshot than the parent are not taken for its own`() throws {
        let bytes = TestImages.random(byteCount: Self.band, seed: 13)
        let first = try fixture.backup(bytes).snapshot
        let other = change(bytes, blocks: [100, 300], seed: 14)
        var options = BackupOptions()
        options.parent = .snapshot(first.id)
        for (generation, isKnown) in [(1, true), (2, false)] {
            // In the cache block 100 is what it was in a snapshot that is not the parent; of the parent's own records the last backup took the place of the second.
            _ = try fixture.backup(change(other, blocks: [200 * generation], seed: 15))
            let third = change(other, blocks: [300], seed: UInt64(15 + generation))
            let report = try fixture.backup(third, options: options)
            #expect(report.snapshot.manifest.parent == first.id)
            let isRestored = try fixture.restore(report.snapshot) == third
            #expect(isRestored)
            #expect((newByteCount(report) < 2 * Self.block) == isKnown)
        }
    }

    @Test func `two images have fingerprints of their own`() throws {
        let one = TestImages.random(byteCount: Self.band, seed: 16)
        let two = TestImages.random(byteCount: Self.band, seed: 17)
        _ = try fixture.backup(one, name: "one")
        _ = try fixture.backup(two, name: "two")
        #expect(Self.isBlock.contains(newByteCount(try fixture.backup(change(one, blocks: [77], seed: 18), name: "one"))))
        #expect(Self.isBlock.contains(newByteCount(try fixture.backup(change(two, blocks: [77], seed: 19), name: "two"))))
        #expect(try FileManager.default.contentsOfDirectory(atPath: blockFolder).count == 2)
    }

    @Test func `a cache that cannot be used is told of, and the snapshot is right`() throws {
        let file = "\(cache.path)/file"
        try Data().write(to: URL(filePath: file))
        let other = try RepositoryFixture(opening: storage, like: fixture, environment: Self.environment(file))
        let bytes = TestImages.random(byteCount: 2_000_000, seed: 20)
        let report = try other.backup(bytes)
        #expect(report.warnings.contains { $0.contains("chunks of which a part changes are stored whole") })
        #expect(try other.restore(report.snapshot) == bytes)
    }

    private func modified(_ path: String) throws -> Date { try #require(FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date) }

    @Test func `what no backup has used for long is removed, and nothing else`() throws {
        _ = try fixture.backup(TestImages.random(byteCount: 100_000, seed: 21))
        let path = try blockFile()
        let foreign = "\(blockFolder)/something else"
        try Data().write(to: URL(filePath: foreign))
        let now = fixture.repository.environment.now()
        for (age, remains) in [(80, true), (100, false)] {
            let time = Date(timeIntervalSince1970: Double(now) - Double(age) * 86_400)
            for file in [path, foreign] { try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: file) }
            _ = try fixture.backup(TestImages.random(byteCount: 0, seed: 22), name: "other")
            // One that changed nothing is a use as well.
            if age == 80 { _ = try fixture.backup(TestImages.random(byteCount: 100_000, seed: 21)) }
            if age == 80 { #expect(try modified(path) > time) }
            #expect(FileManager.default.fileExists(atPath: path) == remains && FileManager.default.fileExists(atPath: foreign))
        }
    }

    @Test func `whole blocks within a range`() {
        #expect(BandBlocks.blocks(within: 0..<8192, byteCount: 8192) == 0..<2)
        #expect(BandBlocks.blocks(within: 1..<8192, byteCount: 8192) == 1..<2)
        #expect(BandBlocks.blocks(within: 4095..<8191, byteCount: 8192) == 1..<1)
        #expect(BandBlocks.blocks(within: 0..<8191, byteCount: 8191) == 0..<2)
        #expect(BandBlocks.blocks(within: 5000..<6000, byteCount: 8192).isEmpty)
        #expect(BandBlocks.blocks(within: 8191..<8191, byteCount: 8191).isEmpty)
    }

    /// The last block is short, grows and shrinks with the source.
    @Test func `a source of another size has nothing of the former last block`() throws {
        var bytes = TestImages.random(byteCount: 1_000_001, seed: 23)
        _ = try fixture.backup(bytes)
        for byteCount in [1_000_002, 1_003_520, 999_990, 1_000_000, 4097, 4096, 4095] {
            bytes = Array(bytes.prefix(byteCount)) + TestImages.random(byteCount: max(0, byteCount - bytes.count), seed: UInt64(byteCount))
            let report = try fixture.backup(change(bytes, blocks: [0], seed: UInt64(byteCount)))
            #expect(try fixture.restore(report.snapshot) == change(bytes, blocks: [0], seed: UInt64(byteCount)))
        }
    }
}
