import DiskImages
import RepositoryFormat
import Synchronization

/// What reading all sources gave.
struct BackupContent {
    var images: [ImageRecord] = []
    var unreadable: [(image: String, range: Range<UInt64>)] = []
    var warnings: [String] = []
    var changeMaps: [ChangeMapUse] = []
    /// Whether the sources held still as long as they were to.
    var wasHeld = true

    var isComplete: Bool { unreadable.isEmpty && wasHeld }
}

/// Backs up one image after another, each volume by volume.
struct ImageBackup {
    let volumes: VolumeBackup
    let options: BackupOptions
    let averageChunkByteCount: Int
    /// Nil where nothing is kept on this machine.
    let blockCaches: BlockCacheFolder?

    /// Reads a source. A change map that is found wrong while that is done is given up, and all of the image is read.
    func run(_ source: BackupSource, _ predecessor: Predecessor?, _ content: inout BackupContent) throws(RepositoryError) {
        let predecessor = options.rehashes ? nil : predecessor
        guard let tracking = source.tracking else { return try read(source, predecessor, nil, &content) }
        let name = source.identity.imageName
        let (map, reason) = tracking.map(for: source, since: predecessor)
        guard let map else {
            content.changeMaps.append(ChangeMapUse(image: name, outcome: .unused(reason: options.rehashes ? "everything is recognised by content, as was asked for" : reason)))
            return try read(source, predecessor, nil, &content)
        }
        let changes = TrustedChanges(map, auditShare: options.auditShare)
        let before = (content: content, done: volumes.progress.doneByteCount.load(ordering: .relaxed), chunks: volumes.counters.chunkCount.load(ordering: .relaxed))
        do throws(RepositoryError) {
            try auditZeros(source, changes)
            try read(source, predecessor, changes, &content)
            content.changeMaps.append(
                ChangeMapUse(image: name, outcome: .used(takenByteCount: changes.takenByteCount, auditedByteCount: changes.auditedByteCount)))
        } catch {
            guard let place = changes.refutedAt else { throw error }
            content = before.content
            volumes.progress.doneByteCount.store(before.done, ordering: .relaxed)
            volumes.counters.chunkCount.store(before.chunks, ordering: .relaxed)
            content.changeMaps.append(ChangeMapUse(image: name, outcome: .refuted(offset: place)))
            content.warnings.append(
                """
                \(source.identity.path): THE CHANGE MAP IS WRONG: at byte \(place) there is something else than in the parent, though \(tracking.kind.rawValue) “\(tracking.id)” calls it unchanged since “\(tracking.since ?? "")”. \
                All of the image was read, and this snapshot is right; those made with the map before may lack changes. Find out why before you use it again
                """)
            try read(source, predecessor, nil, &content)
        }
    }

    private func read(
        _ source: BackupSource, _ predecessor: Predecessor?, _ changes: TrustedChanges?, _ content: inout BackupContent
    ) throws(RepositoryError) {
        let pairing = predecessor.map { VolumePairing($0.image) }
        var whole = FeedReport()
        let layout = source.layout ?? .whole(byteCount: source.byteCount ?? 0)
        var records: [VolumeRecord] = []
        for (number, volume) in layout.volumes.enumerated() {
            let old = pairing?.predecessor(of: volume, in: layout)
            let maps = old.flatMap { record in predecessor.map { ParentMaps(volumes.session.mapReader, record, of: $0.snapshot) } }
            // A map is of places in the image, so it says nothing of a volume that stands elsewhere.
            let isInPlace = old?.placements == [.init(offset: volume.range.lowerBound, byteCount: volume.range.upperBound - volume.range.lowerBound)]
            let part = VolumeSource(source, volume, isInPlace ? changes : nil)
            let (blocks, problem) = blockCaches?.open(image: source.identity.imageName, volume: number) ?? (nil, nil)
            let (root, report) = try volumes.run(part, parent: maps, blocks: blocks)
            for warning in [maps?.warning, problem ?? blocks?.warning].compactMap(\.self) where !content.warnings.contains(warning) { content.warnings.append(warning) }
            records.append(
                VolumeRecord(
                    kind: volume.kind, partition: volume.partition, placements: [.init(offset: volume.range.lowerBound, byteCount: report.byteCount)],
                    averageChunkByteCount: averageChunkByteCount, fileSystem: volume.fileSystem, root: root))
            whole.append(report, at: volume.range.lowerBound)
        }
        let name = source.identity.imageName
        content.unreadable += whole.unreadable.map { (name, $0) }
        let isStill = try note(source, whole, &content.warnings)
        let isRefuted = content.changeMaps.contains { if case .refuted = $0.outcome { $0.image == name } else { false } }
        content.images.append(
            ImageRecord(source, byteCount: whole.byteCount, label: layout.label, tracker: isStill && !isRefuted ? source.tracking?.record : nil, volumes: records))
    }

    /// Looks at some of what the map calls zero, before anything is taken for it.
    private func auditZeros(_ source: BackupSource, _ changes: TrustedChanges) throws(RepositoryError) {
        guard case .image(let reader) = source.content else { return }
        let zeros = changes.map.ranges(of: .zero)
        let layout = source.layout ?? .whole(byteCount: reader.byteCount)
        let always = layout.volumes.flatMap { volume in
            changes.alwaysAudited(of: volume, imageByteCount: reader.byteCount).map { $0.lowerBound + volume.range.lowerBound..<$0.upperBound + volume.range.lowerBound }
        }
        try ZeroAudit(reader, changes, volumes.limit, volumes.progress, volumes.cancellation).run(zeros, always: always)
    }

    /// Warns of what happened to the source meanwhile. False if it is not of one moment.
    private func note(_ source: BackupSource, _ report: FeedReport, _ warnings: inout [String]) throws(RepositoryError) -> Bool {
        let path = source.identity.path
        if report.hasShrunk { warnings.append("\(path): it shrank while it was read; what is missing at its end is recorded as unreadable") }
        guard case .image(let reader) = source.content, !report.hasShrunk else { return false }
        let current = try imaging { () throws(ImageError) in try reader.currentByteCount() }
        if current > reader.byteCount {
            warnings.append("\(path): it grew while it was read; the snapshot has its first \(reader.byteCount) bytes")
            return false
        }
        if try imaging({ () throws(ImageError) in try reader.hasChanged() }) {
            warnings.append("\(path): it was written to while it was read; the snapshot may have old contents in one place and new in another")
            return false
        }
        return true
    }
}

extension ChangeTracking {
    /// Nil if nobody will tell what changes from now on.
    var record: ChangeTracker? { generation.map { ChangeTracker(kind: kind.rawValue, id: id, generation: $0) } }
}
