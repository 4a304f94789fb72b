import DiskImages
import ImageFixtures
import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import Synchronization
import Testing

/// What is called around the reading of the sources.
struct ReadingHooksTests {
    private final class Events: Sendable {
        private let list = Mutex<[String]>([])
        func note(_ event: String) { list.withLock { $0.append(event) } }
        var all: [String] { list.withLock { $0 } }
    }

    private func options(_ events: Events, problems: [String] = [], _ begin: @escaping @Sendable (inout [BackupSource]) throws(ImageError) -> Void = { (_) throws(ImageError) in }) -> BackupOptions {
        var options = BackupOptions()
        options.reading.begin = { (sources) throws(ImageError) in
            events.note("begin")
            try begin(&sources)
        }
        options.reading.end = {
            events.note("end")
            return problems
        }
        return options
    }

    @Test func `all reading lies between them, and what the last packs hold is put after the second`() throws {
        let fixture = try RepositoryFixture()
        let events = Events()
        var options = options(events)
        let note = options.reading.end
        options.reading.end = { [storage = fixture.storage] in
            events.note("\((try? storage.list(.packs).count) ?? -1) packs")
            return note()
        }
        _ = try fixture.backup(HookedImageReader(TestImages.random(byteCount: 3_000_000, seed: 1)) { events.note("read") }, options: options)
        #expect(events.all == ["begin", "read", "0 packs", "end"])
    }

    @Test func `what the second complains of makes the snapshot incomplete`() throws {
        let report = try RepositoryFixture().backup([1, 2, 3], options: options(Events(), problems: ["it moved"]))
        #expect(report.warnings == ["it moved"])
        #expect(!report.snapshot.manifest.isComplete)
    }

    @Test func `the second comes after a failure of the first, and of a source`() throws {
        let fixture = try RepositoryFixture()
        let failing = Events()
        #expect(throws: RepositoryError.self) {
            _ = try fixture.backup([1], options: options(failing) { (_) throws(ImageError) in throw .unsuitable(path: "/srv", reason: "it moves") })
        }
        #expect(failing.all == ["begin", "end"])
        let events = Events()
        let image = SyntheticImageReader(byteCount: 1000, seed: 1)
        #expect(throws: RepositoryError.self) {
            // A layout of another disk is refused as it is when it comes with the source.
            _ = try fixture.backup(image, options: options(events) { (sources) throws(ImageError) in sources[0].layout = .whole(byteCount: 999) })
        }
        #expect(events.all == ["begin", "end"])
        #expect(try fixture.repository.snapshots(includingForgotten: true).snapshots.isEmpty)
    }
}
