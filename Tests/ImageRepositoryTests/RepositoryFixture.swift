import Bytes
import DiskImages
import ImageFixtures
import ImageRepository
import RepositoryFormat
import Sealing
import Storage

/// A repository in memory, opened with its key file.
struct RepositoryFixture {
    let storage: any StorageBackend
    let repository: Repository
    let keyFile: KeyFile
    let recoveryKey: KeyFile

    static func environment(host: String = "test-host", stateFolder: String? = nil) -> ClientEnvironment {
        ClientEnvironment(
            host: host, machineID: "0123456789abcdef", processID: 1, tool: "holdfast test", cacheFolder: nil, stateFolder: stateFolder,
            now: { 1_770_000_000 })
    }

    init(_ storage: any StorageBackend = MemoryStorage(), averageChunkByteCount: Int = 32 << 10) throws {
        self.storage = storage
        keyFile = KeyFile.random()
        var options = Repository.CreationOptions()
        options.averageChunkByteCount = averageChunkByteCount
        (_, recoveryKey) = try Repository.create(
            on: storage, credential: .keyFile(keyFile), options: options, environment: RepositoryFixture.environment())
        repository = try Repository.open(on: storage, credential: .keyFile(keyFile), environment: RepositoryFixture.environment())
    }

    func backup(_ bytes: [UInt8], name: String = "disk", options: BackupOptions = BackupOptions()) throws -> BackupReport {
        try backup(MemoryImageReader(bytes), name: name, options: options)
    }

    func backup(_ reader: any ImageReader, name: String = "disk", options: BackupOptions = BackupOptions()) throws -> BackupReport {
        let identity = SourceIdentity(kind: .file, imageName: name, path: "/images/\(name)")
        return try repository.backup(
            [BackupSource(reader, identity: identity)], options: options, progress: ProgressCounters(), cancellation: Cancellation())
    }

    func restore(_ snapshot: Snapshot, image: String? = nil, with other: Repository? = nil) throws -> [UInt8] {
        let writer = MemoryImageWriter()
        _ = try (other ?? repository).restore(
            try repository.image(image, of: snapshot), to: writer, targetName: "memory", options: RestoreOptions(),
            progress: ProgressCounters(), cancellation: Cancellation())
        return writer.contents
    }

    func check(_ data: CheckOptions.Data) throws -> CheckReport {
        var options = CheckOptions()
        options.data = data
        return try repository.check(options, progress: ProgressCounters(), cancellation: Cancellation())
    }
}

/// Images with what real ones have: noise, repetition, zero runs, odd ends.
enum TestImages {
    static func mixed(byteCount: Int, seed: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var state = seed &+ 0x9E37_79B9_7F4A_7C15
        func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        var position = 0
        while position < byteCount {
            let end = min(byteCount, position + Int(next() % 400_000) + 1)
            switch next() % 4 {
            case 0: break
            case 1:
                for index in position..<end { bytes[index] = UInt8(truncatingIfNeeded: index / 64) }
            default:
                var index = position
                while index < end {
                    let word = next()
                    for shift in 0..<min(8, end - index) { bytes[index + shift] = UInt8(truncatingIfNeeded: word >> UInt64(8 * shift)) }
                    index += 8
                }
            }
            position = end
        }
        return bytes
    }
}
