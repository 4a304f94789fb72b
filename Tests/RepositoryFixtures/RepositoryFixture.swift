import Bytes
package import DiskImages
import ImageFixtures
package import ImageRepository
import Packing
import RepositoryFormat
package import Sealing
package import Storage

/// A repository in memory, opened with its key file.
package struct RepositoryFixture {
    package let storage: any StorageBackend
    package let repository: Repository
    package let keyFile: KeyFile
    package let recoveryKey: KeyFile

    package static func environment(
        host: String = "test-host", stateFolder: String? = nil, processID: UInt64 = 1, now: Int64 = 1_770_000_000
    ) -> ClientEnvironment {
        ClientEnvironment(
            host: host, machineID: "0123456789abcdef", processSpace: "\(host), first boot", processID: processID, tool: "holdfast test", cacheFolder: nil,
            stateFolder: stateFolder, now: { now }, isRunning: { _ in false })
    }

    /// One that is open already.
    package init(with repository: Repository, _ storage: any StorageBackend, like other: RepositoryFixture) {
        self.storage = storage
        self.repository = repository
        (keyFile, recoveryKey) = (other.keyFile, other.recoveryKey)
    }

    /// One that is there already, opened with the key file that made it.
    package init(opening storage: any StorageBackend, like other: RepositoryFixture, environment: ClientEnvironment = RepositoryFixture.environment()) throws {
        self.storage = storage
        (keyFile, recoveryKey) = (other.keyFile, other.recoveryKey)
        repository = try Repository.open(on: storage, credential: .keyFile(keyFile), environment: environment)
    }

    package init(_ storage: any StorageBackend = MemoryStorage(), averageChunkByteCount: Int = 32 << 10) throws {
        self.storage = storage
        keyFile = KeyFile.random()
        var options = Repository.CreationOptions()
        options.averageChunkByteCount = averageChunkByteCount
        (_, recoveryKey) = try Repository.create(
            on: storage, credential: .keyFile(keyFile), options: options, environment: RepositoryFixture.environment())
        repository = try Repository.open(on: storage, credential: .keyFile(keyFile), environment: RepositoryFixture.environment())
    }

    package func backup(_ bytes: [UInt8], name: String = "disk", options: BackupOptions = BackupOptions()) throws -> BackupReport {
        try backup(MemoryImageReader(bytes), name: name, options: options)
    }

    package func backup(_ reader: any ImageReader, name: String = "disk", options: BackupOptions = BackupOptions()) throws -> BackupReport {
        let identity = SourceIdentity(kind: .file, imageName: name, path: "/images/\(name)")
        return try repository.backup(
            [BackupSource(reader, identity: identity)], options: options, progress: ProgressCounters(), cancellation: Cancellation())
    }

    package func backup(_ stream: any ImageStream, name: String = "disk") throws -> BackupReport {
        let identity = SourceIdentity(kind: .stream, imageName: name, path: name)
        return try repository.backup(
            [BackupSource(stream, identity: identity)], options: BackupOptions(), progress: ProgressCounters(), cancellation: Cancellation())
    }

    /// How often a pack that is there, indexed or not, has a chunk that another has already: 0 if everything is stored once.
    package func repeatedChunkCount() throws -> Int { try RepositoryFixture.repeatedChunkCount(repository, storage) }

    package static func repeatedChunkCount(_ repository: Repository, _ storage: any StorageBackend) throws -> Int {
        var count = 0
        var seen: Set<ChunkID> = []
        let file = PackFile(storage: storage, sealer: repository.sealer, verifier: DocumentVerifier(keyring: repository.keyrings.current))
        for info in try storage.list(.packs) + storage.list(.maps) {
            for chunk in try file.readDirectory(info, info.name.kind == .packs ? .data : .map).segments.flatMap(\.chunks) {
                if !seen.insert(chunk.id).inserted { count += 1 }
            }
        }
        return count
    }

    package func restore(_ snapshot: Snapshot, image: String? = nil, with other: Repository? = nil) throws -> [UInt8] {
        let writer = MemoryImageWriter()
        _ = try (other ?? repository).restore(
            try repository.image(image, of: snapshot), to: writer, targetName: "memory", options: RestoreOptions(),
            progress: ProgressCounters(), cancellation: Cancellation())
        return writer.contents
    }

    package func check(_ data: CheckOptions.Data) throws -> CheckReport {
        var options = CheckOptions()
        options.data = data
        return try repository.check(options, progress: ProgressCounters(), cancellation: Cancellation())
    }
}
