import Bytes
import DiskImages
import Glibc
import ImageRepository
import LocalStorage
import RepositoryFormat
import Sealing
import Storage

// snapshot-scale FOLDER [SNAPSHOTS]
//
// Makes a repository with SNAPSHOTS snapshots (5000 unless given) in FOLDER/repository, with a key file FOLDER/key, for `holdfast snapshots` to be measured
// on. They are of 50 machines. FOLDER must not hold a repository.

func run() throws {
    guard CommandLine.arguments.count > 1 else {
        print("snapshot-scale FOLDER [SNAPSHOTS]")
        exit(64)
    }
    umask(0o077)
    let folder = CommandLine.arguments[1]
    let count = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 0 : 5000
    let environment = ClientEnvironment(host: "machine-0", machineID: "", processSpace: "", processID: 0, tool: "benchmark", cacheFolder: nil, stateFolder: nil, now: { 1_800_000_000 })
    let storage = LocalStorage(path: "\(folder)/repository")
    let (repository, recoveryKey) = try Repository.create(on: storage, credential: .keyFile(.random()), options: .init(), environment: environment)
    let image = try FileImageReader(path: CommandLine.arguments[0])
    let first = try repository.backup(
        [BackupSource(image, identity: image.identity)], options: BackupOptions(), progress: ProgressCounters(), cancellation: Cancellation()
    ).snapshot.manifest
    var ids = [first.snapshot]
    for number in 1..<max(count, 1) {
        var manifest = first
        manifest.snapshot = SnapshotID(Sodium.randomID())
        manifest.parent = ids[max(0, number - 50)]
        manifest.host = "machine-\(number % 50)"
        manifest.ordinal = UInt64(number + 1)
        manifest.heads = [.init(snapshot: ids[max(0, number - 50)], digest: ObjectDigest.of([UInt8(number % 50)]))]
        let name = ObjectName.snapshot(manifest.snapshot)
        _ = try storage.put(name, repository.sealer.seal(manifest.body, repository.sealer.repositoryBinding(.manifest, name: name.path)).span)
        ids.append(manifest.snapshot)
    }
    try writeKey(recoveryKey, to: "\(folder)/key")
    print("\(ids.count) snapshots in \(folder)/repository, key file \(folder)/key")
}

func writeKey(_ key: KeyFile, to path: String) throws {
    guard let file = unsafe fopen(path, "w") else { fatalError("\(path) cannot be written") }
    defer { unsafe fclose(file) }
    let line = key.line
    guard unsafe fwrite(line, 1, line.count, file) == line.count else { fatalError("\(path) cannot be written") }
}

try run()
