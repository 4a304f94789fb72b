import Bytes
import DiskImages
import RepositoryFormat
import Sealing
import Synchronization

/// What a backup writes down at its end.
extension BackupRun {
    /// One more than the highest. A snapshot that cannot be read now may be the highest, so room is left for each of them: `latest`
    /// must not go back to an older one when it can be read again.
    private var nextOrdinal: UInt64 {
        (known.snapshots.map(\.manifest.ordinal).max() ?? 0) + UInt64(known.unlisted.count) + 1
    }

    func makeManifest(
        _ content: BackupContent, parent: SnapshotID?, storedByteCount: UInt64
    ) -> Manifest {
        let images = content.images
        let unreadable = content.unreadable.map(\.range)
        var counts = Manifest.Counters()
        counts.imageByteCount = images.reduce(0) { $0 + $1.byteCount }
        counts.readByteCount = progress.readByteCount.load(ordering: .relaxed)
        counts.unreadableByteCount = unreadable.reduce(0) { $0 + UInt64($1.count) }
        for case .used(let taken, let audited) in content.changeMaps.map(\.outcome) {
            counts.takenByteCount += taken
            counts.auditedByteCount += audited
        }
        counts.chunkCount = counters.chunkCount.load(ordering: .relaxed)
        counts.newChunkCount = counters.newChunkCount.load(ordering: .relaxed)
        counts.newByteCount = progress.newByteCount.load(ordering: .relaxed)
        counts.storedByteCount = storedByteCount
        let own = known.snapshots.filter { $0.slot == repository.slot && $0.manifest.host == host }
        let newest = own.map(\.manifest.ordinal).max()
        return Manifest(
            snapshot: session.id, parent: parent, host: host, machineID: repository.environment.machineID, startTime: startTime,
            endTime: repository.timestamp, tool: repository.environment.tool, tags: options.tags, description: options.description,
            images: images, attachments: [], counters: counts, isComplete: content.isComplete,
            ordinal: nextOrdinal,
            heads: own.filter { $0.manifest.ordinal == newest }.map { Manifest.Head(snapshot: $0.id, digest: $0.digest) },
            seen: Manifest.Seen(known.snapshots.map(\.id)), keyringNumber: repository.keyrings.current.number, requiredFeatures: .none)
    }
}

extension Manifest.Seen {
    /// Count and digest of the sorted ids.
    init(_ ids: [SnapshotID]) {
        let sorted = ids.map(\.id.bytes).sorted { $0.lexicographicallyPrecedes($1) }
        self.init(count: UInt64(ids.count), digest: ObjectDigest.of(sorted.flatMap { $0 }))
    }
}

extension ImageRecord {
    init(_ source: BackupSource, byteCount: UInt64, label: JSONValue, tracker: ChangeTracker?, volumes: [VolumeRecord]) {
        let identity = source.identity
        self.init(
            name: identity.imageName,
            source: Source(
                kind: identity.kind.rawValue, path: identity.path, serialNumber: identity.serialNumber,
                worldWideName: identity.worldWideName, model: identity.model),
            byteCount: byteCount, logicalSectorByteCount: source.layout?.sectorByteCount ?? identity.logicalSectorByteCount,
            physicalSectorByteCount: identity.physicalSectorByteCount, label: label, changeTracker: tracker, volumes: volumes)
    }
}
