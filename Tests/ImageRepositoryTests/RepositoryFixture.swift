import Bytes
import DiskImages
import ImageFixtures
@testable import ImageRepository
import Packing
import RepositoryFormat
import Sealing
import Storage
import TestSupport

/// A repository in memory, opened with its key file.
struct RepositoryFixture {
    let storage: any StorageBackend
    let repository: Repository
    let keyFile: KeyFile
    let recoveryKey: KeyFile

    static func environment(host: String = "test-host", stateFolder: String? = nil, now: Int64 = 1_770_000_000) -> ClientEnvironment {
        ClientEnvironment(
            host: host, machineID: "0123456789abcdef", processID: 1, tool: "holdfast test", cacheFolder: nil, stateFolder: stateFolder,
            now: { now }, isRunning: { _ in false })
    }

    /// One that is open already.
    init(with repository: Repository, _ storage: any StorageBackend, like other: RepositoryFixture) {
        self.storage = storage
        self.repository = repository
        (keyFile, recoveryKey) = (other.keyFile, other.recoveryKey)
    }

    /// One that is there already, opened with the key file that made it.
    init(opening storage: any StorageBackend, like other: RepositoryFixture, environment: ClientEnvironment = RepositoryFixture.environment()) throws {
        self.storage = storage
        (keyFile, recoveryKey) = (other.keyFile, other.recoveryKey)
        repository = try Repository.open(on: storage, credential: .keyFile(keyFile), environment: environment)
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

    func backup(_ stream: any ImageStream, name: String = "disk") throws -> BackupReport {
        let identity = SourceIdentity(kind: .stream, imageName: name, path: name)
        return try repository.backup(
            [BackupSource(stream, identity: identity)], options: BackupOptions(), progress: ProgressCounters(), cancellation: Cancellation())
    }

    /// How often a pack that is there, indexed or not, has a chunk that another has already: 0 if everything is stored once.
    func repeatedChunkCount() throws -> Int {
        var count = 0
        var seen: Set<ChunkID> = []
        let file = PackFile(storage: storage, sealer: repository.sealer, verifier: repository.verifier)
        for (_, info) in try repository.loadIndex().listedPacks {
            for chunk in try file.readDirectory(info, info.name.kind == .packs ? .data : .map).segments.flatMap(\.chunks) {
                if !seen.insert(chunk.id).inserted { count += 1 }
            }
        }
        return count
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
    static func random(byteCount: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return generator.bytes(byteCount)
    }

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
