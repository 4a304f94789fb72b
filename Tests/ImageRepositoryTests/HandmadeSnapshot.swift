import Bytes
import ImageRepository
import Packing
import RepositoryFormat
import Sealing
import Storage

/// Stores chunks, index and manifest as a test wants them, where a backup would do it as it should.
struct HandmadeChunks {
    private let repository: Repository
    private let dataPacks: PackWriter
    private let mapPacks: PackWriter
    private let data: SegmentBuilder
    private let maps: SegmentBuilder

    init(_ repository: Repository) {
        self.repository = repository
        let key = SessionDataKey(recipient: repository.secrets.dataPublicKey)
        dataPacks = PackWriter(.data, sealer: repository.sealer, key: key.record, storage: repository.storage)
        mapPacks = PackWriter(.map, sealer: repository.sealer, key: nil, storage: repository.storage)
        data = SegmentBuilder(.data, sealer: repository.sealer, sessionKey: key.secret, writer: dataPacks, level: 2)
        maps = SegmentBuilder(.map, sealer: repository.sealer, sessionKey: nil, writer: mapPacks, level: 2)
    }

    func add(_ kind: PackDirectory.Kind, _ bytes: [UInt8]) throws -> ChunkID {
        try unsafe bytes.withUnsafeBytes { buffer in
            let id = unsafe repository.sealer.member.chunkID(kind, buffer)
            unsafe try (kind == .data ? data : maps).append(id, buffer, band: 0)
            return id
        }
    }

    func fingerprint(_ bytes: [UInt8]) -> Fingerprint {
        unsafe bytes.withUnsafeBytes { unsafe repository.sealer.member.fingerprint($0) }
    }

    /// Stores packs and an index object that names them; to be called once.
    @discardableResult
    func finish() throws -> [IndexDocument.Pack] {
        try data.flush()
        try maps.flush()
        try dataPacks.finish()
        try mapPacks.finish()
        let packs = dataPacks.takeConfirmed() + mapPacks.takeConfirmed()
        if !packs.isEmpty {
            let object = repository.sealer.seal(IndexDocument(packs: packs).encoded, repository.sealer.repositoryBinding(.index, name: ""))
            _ = try repository.storage.put(.index(IndexID(ObjectDigest.of(object))), object.span)
        }
        return packs
    }
}

extension Repository {
    /// Commits a manifest that differs from `other` in what `change` changes.
    func commit(like other: Manifest, _ change: (inout Manifest) -> Void) throws -> SnapshotID {
        var manifest = other
        manifest.snapshot = SnapshotID(Sodium.randomID())
        manifest.ordinal += 1
        change(&manifest)
        let name = ObjectName.snapshot(manifest.snapshot)
        _ = try storage.put(name, sealer.seal(manifest.body, sealer.repositoryBinding(.manifest, name: name.path)).span)
        return manifest.snapshot
    }

    func snapshot(_ id: SnapshotID) throws -> Snapshot { try snapshot(SnapshotSelector(id.hexadecimal)) }
}
