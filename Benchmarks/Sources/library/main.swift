import DiskImages
import ImageRepository
import LocalStorage
import RepositoryFormat
import Sealing
import Storage

// library IMAGE FOLDER
//
// Backs IMAGE up twice into a new repository in FOLDER, reads it back at random places, restores it and checks all data, and
// prints how fast each was. Uses nothing but the public API.

struct Measured {
    let image: FileImageReader
    let repository: Repository

    init(imagePath: String, folder: String) throws {
        image = try FileImageReader(path: imagePath)
        let environment = ClientEnvironment(
            host: "benchmark", machineID: "", processSpace: "", processID: 0, tool: "benchmark", cacheFolder: nil, stateFolder: nil, now: { 0 })
        repository = try Repository.create(
            on: LocalStorage(path: folder), credential: .keyFile(.random()), options: .init(), environment: environment
        ).repository
    }

    func backup() throws -> (report: BackupReport, readByteCount: UInt64) {
        let report = try repository.backup(
            [BackupSource(image, identity: image.identity)], options: BackupOptions(), progress: ProgressCounters(), cancellation: Cancellation())
        return (report, report.snapshot.manifest.counters.readByteCount)
    }

    func readAtRandom(_ snapshot: Snapshot, count: Int) throws -> UInt64 {
        let reader = try repository.reader(for: repository.image(nil, of: snapshot))
        var (copy, original): ([UInt8], [UInt8])
        for _ in 0..<count {
            let offset = UInt64.random(in: 0...max(image.byteCount, 65_536) - 65_536)
            let wanted = Int(min(65_536, image.byteCount - offset))
            copy = [UInt8](repeating: 1, count: wanted)
            original = [UInt8](repeating: 2, count: wanted)
            var target = copy.mutableSpan
            guard try reader.read(at: offset, into: &target) == wanted else { throw Difference(offset: offset) }
            var source = original.mutableSpan
            guard try image.read(at: offset, into: &source) == wanted else { throw Difference(offset: offset) }
            guard copy == original else { throw Difference(offset: offset) }
        }
        return UInt64(count) * 65_536
    }
}

struct Difference: Error { let offset: UInt64 }

func timed(_ name: String, _ body: () throws -> UInt64) rethrows {
    let clock = ContinuousClock()
    var byteCount: UInt64 = 0
    let duration = try clock.measure { byteCount = try body() }
    let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    print("\(name): \(byteCount >> 20) MiB in \((seconds * 100).rounded() / 100) s, \(Int(Double(byteCount) / seconds / 1e6)) MB/s")
}

guard CommandLine.arguments.count == 3 else { fatalError("library IMAGE FOLDER") }
let measured = try Measured(imagePath: CommandLine.arguments[1], folder: CommandLine.arguments[2])
var snapshot: Snapshot?
try timed("first backup") {
    let (report, byteCount) = try measured.backup()
    snapshot = report.snapshot
    return byteCount
}
try timed("unchanged backup") { try measured.backup().readByteCount }
guard let snapshot else { fatalError("a backup that returns has a snapshot") }
try timed("64 KiB reads at random places, compared") { try measured.readAtRandom(snapshot, count: 2000) }
try timed("restore") {
    let target = try FileImageWriter(path: CommandLine.arguments[2] + ".restored", allowExisting: false)
    return try measured.repository.restore(
        try measured.repository.image(nil, of: snapshot), to: target, targetName: "restored", options: RestoreOptions(), progress: ProgressCounters(),
        cancellation: Cancellation()
    ).writtenByteCount
}
try timed("check of all data") {
    var options = CheckOptions()
    options.data = .all
    let report = try measured.repository.check(options, progress: ProgressCounters(), cancellation: Cancellation())
    guard report.isClean else { fatalError("the check found \(report.problems)") }
    return try measured.repository.statistics().storedByteCount
}
