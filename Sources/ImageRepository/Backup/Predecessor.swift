import Bytes
import DiskImages
import RepositoryFormat

/// The snapshot that predicts what is unchanged in a source, and its image.
struct Predecessor {
    var snapshot: SnapshotID
    var image: ImageRecord

    /// - Returns: nil if nothing predicts it; a warning if the parent that was asked for does not.
    static func of(
        _ source: BackupSource, in known: SnapshotList, host: String, _ choice: ParentChoice
    ) throws(RepositoryError) -> (predecessor: Predecessor?, warning: String?) {
        let name = source.identity.imageName
        func fits(_ snapshot: Snapshot) -> Bool { snapshot.manifest.images.contains { $0.name == name } }
        var warning: String?
        let chosen: Snapshot?
        switch choice {
        case .none: chosen = nil
        case .automatic:
            let candidates = known.snapshots.filter { !$0.isForgotten && $0.manifest.isComplete && $0.manifest.host == host && fits($0) }
            // The one from which the change map tells, even if others came after it.
            chosen = candidates.last { snapshot in snapshot.manifest.images.contains { $0.name == name && source.tracking?.begins(at: $0) == true } } ?? candidates.last
        case .snapshot(let id):
            guard let named = known.snapshots.first(where: { $0.id == id }) else { throw .noSnapshot(id.hexadecimal) }
            chosen = fits(named) || named.manifest.images.count == 1 ? named : nil
            if chosen == nil { warning = "the parent \(id) has no image “\(name)”, so \(source.identity.path) is compared by content" }
        }
        guard let chosen, let image = chosen.manifest.images.first(where: { $0.name == name }) ?? chosen.manifest.images.first else { return (nil, warning) }
        return (Predecessor(snapshot: chosen.id, image: image), warning)
    }
}

extension ChangeTracking {
    /// Whether the map tells what changed since an image was read.
    func begins(at image: ImageRecord) -> Bool {
        guard let map, let since else { return false }
        return image.changeTracker == ChangeTracker(kind: kind.rawValue, id: id, generation: since) && image.byteCount == map.byteCount
    }

    /// The map, where it tells just what is to be known; else why it does not.
    func map(for source: BackupSource, since predecessor: Predecessor?) -> (map: ChangeMap?, reason: String) {
        guard let map, let since else { return (nil, reason ?? "nobody tells what changed") }
        guard let predecessor else { return (nil, "there is no snapshot of the image to begin at") }
        guard map.byteCount == source.byteCount else { return (nil, "it is of \(map.byteCount) bytes, and the image has \(source.byteCount ?? 0)") }
        guard predecessor.image.byteCount == map.byteCount else { return (nil, "the image had another size in snapshot \(predecessor.snapshot)") }
        guard begins(at: predecessor.image) else { return (nil, "no snapshot of the image is of “\(id)” at “\(since)”") }
        return (map, "")
    }
}
