import DiskImages
import RepositoryFormat

extension BackupRun {
    /// - Throws: `.invalid` for what cannot become the images of one snapshot.
    static func require(_ sources: [BackupSource]) throws(RepositoryError) {
        guard !sources.isEmpty else { throw .invalid("there is nothing to back up: no source was given") }
        let names = sources.map(\.identity.imageName)
        guard Set(names).count == names.count else { throw .invalid("two sources have the same image name; give them different ones") }
        guard names.allSatisfy({ !$0.isEmpty }) else { throw .invalid("an image name is empty") }
        for source in sources {
            let (path, sector) = (source.identity.path, source.identity.logicalSectorByteCount)
            guard sector > 0, sector & (sector - 1) == 0 else { throw .invalid("\(path): a sector of \(sector) bytes; it must be a power of two") }
            guard (source.byteCount ?? 0) <= FormatLimits.volumeByteCountMax else { throw .invalid("\(path) is larger than an image can be") }
            if let layout = source.layout, !layout.covers(byteCount: source.byteCount ?? 0) { throw .invalid("\(path): its volumes do not cover it") }
        }
        guard sources.count <= FormatLimits.imagesPerSnapshotMax else { throw .invalid("a snapshot has at most \(FormatLimits.imagesPerSnapshotMax) images") }
    }
}
