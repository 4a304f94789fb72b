import Bytes
import Packing
import RepositoryFormat
import Storage

extension Repository {
    /// Counts what is stored. Reads the index and all manifests, no packs.
    public func statistics() throws(RepositoryError) -> RepositoryStatistics {
        var statistics = RepositoryStatistics()
        let list = try snapshots()
        statistics.snapshotCount = list.snapshots.count
        for snapshot in list.snapshots { statistics.imageByteCount += snapshot.manifest.images.reduce(0) { $0 + $1.byteCount } }
        let loaded = try loadIndex()
        loaded.index.forEachEntry { entry in
            statistics.chunkCount += 1
            statistics.chunkByteCount += UInt64(entry.location.byteCount)
        }
        for kind in ObjectKind.allCases {
            let objects = try storing { () throws(StorageError) in try storage.list(kind) }
            let byteCount = objects.reduce(0) { $0 + $1.byteCount }
            switch kind {
            case .packs: (statistics.dataPackCount, statistics.dataPackByteCount) = (objects.count, byteCount)
            case .maps: (statistics.mapPackCount, statistics.mapPackByteCount) = (objects.count, byteCount)
            case .index: (statistics.indexObjectCount, statistics.indexByteCount) = (objects.count, byteCount)
            case .config, .keyring, .keys, .snapshots, .marks, .sessions, .condemned, .verified, .quarantine: statistics.otherByteCount += byteCount
            }
        }
        return statistics
    }
}
