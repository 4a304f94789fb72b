import Bytes
import Chunking
import DiskImages
import Packing
import RepositoryFormat
import Sealing
import Synchronization
import Threading

/// One backup, from the registered session to the commit.
final class BackupRun {
    let repository: Repository
    private var sources: [BackupSource]
    let options: BackupOptions
    let progress: ProgressCounters
    private let cancellation: Cancellation
    let host: String
    let startTime: String
    let known: SnapshotList
    let counters = BackupCounters()
    let session: WriteSession
    private var warnings: [String] = []
    private var workers: [BandWorker] = []

    init(
        _ repository: Repository, _ sources: [BackupSource], _ options: BackupOptions, _ progress: ProgressCounters, _ cancellation: Cancellation
    ) throws(RepositoryError) {
        try BackupRun.require(sources)
        self.repository = repository
        self.sources = sources
        self.options = options
        self.progress = progress
        self.cancellation = cancellation
        host = options.host ?? repository.environment.host
        startTime = repository.timestamp
        session = try WriteSession(repository, kind: "backup", compressionLevel: options.compressionLevel, progress: progress)
        do throws(RepositoryError) {
            known = try repository.snapshots(includingForgotten: true)
        } catch {
            session.abandon()
            throw error
        }
        warnings = known.problems.map { "\($0.object): \($0.reason)" }
    }

    func backup() throws(RepositoryError) -> BackupReport {
        progress.totalByteCount.store(totalByteCount ?? 0, ordering: .relaxed)
        let parameters: ChunkerParameters
        do { parameters = try ChunkerParameters(averageByteCount: repository.config.averageChunkByteCount) } catch {
            throw .damaged(object: "config", reason: "\(error)")
        }
        let table = GearTable(repository.sealer.member.gearTableBytes().span)
        let threadCount = max(1, options.threadCount ?? usableCoreCount())
        let makeMatcher: @Sendable () -> ParentMatcher = { [member = repository.sealer.member, claims = session.claims, counters, rate = max(1, options.verifiedMatchRate)] in
            ParentMatcher(member, claims, counters, verifiedMatchRate: rate)
        }
        workers = (0..<threadCount).map { _ in
            BandWorker(
                session, sealer: repository.sealer, table: table, parameters: parameters, level: options.compressionLevel,
                counters: counters, progress: progress, matcher: makeMatcher())
        }
        let volumes = VolumeBackup(
            session: session, workers: workers,
            buffers: Pool((0..<threadCount + 2).map { _ in AlignedBuffer(byteCapacity: FormatLimits.bandByteCount) }),
            limit: options.readLimit.map { RateLimit(bytesPerSecond: max(1, $0)) }, progress: progress, cancellation: cancellation,
            member: repository.sealer.member, counters: counters, makeMatcher: makeMatcher)
        let predecessors = try sources.map { source throws(RepositoryError) in try predecessor(of: source) }
        let content = try readHeldSources(predecessors, volumes, parameters)
        warnings += content.warnings
        for worker in workers { try worker.flush() }
        try cancellation.check()
        let parent = predecessors.lazy.compactMap { $0?.snapshot }.first
        let (manifest, digest) = try session.commit { storedByteCount throws(RepositoryError) in
            makeManifest(content.images, parent: parent, unreadable: content.unreadable.map(\.range), isComplete: content.isComplete, storedByteCount: storedByteCount)
        }
        do throws(RepositoryError) {
            if let warning = try repository.pinCommitted(manifest.snapshot), !repository.warnings.contains(warning) { warnings.append(warning) }
        } catch {
            // There is a snapshot, and nobody may be told that there is none.
            warnings.append("it is not known whether the snapshot before this one is still there (\(error.reason))")
        }
        return BackupReport(
            snapshot: Snapshot(manifest: manifest, digest: digest, slot: repository.slot, isForgotten: false, isProtected: false, isDoubtful: false),
            warnings: session.warnings + warnings, unreadable: content.unreadable, dataPackCount: session.dataPacks.packCount,
            mapPackCount: session.mapPacks.packCount)
    }

    /// Ends without a snapshot; chunks in open segments are stored too if that is still possible.
    func abandon() {
        for worker in workers {
            do throws(RepositoryError) { try worker.flush() } catch {
                // The failure that ended the backup is the one to tell.
            }
        }
        session.abandon()
    }

    /// What reading all sources gave.
    private struct Content {
        var images: [ImageRecord] = []
        var unreadable: [(image: String, range: Range<UInt64>)] = []
        var warnings: [String] = []
        var wasHeld = true

        var isComplete: Bool { unreadable.isEmpty && wasHeld }
    }

    /// Reads all sources, for as short a time as can be between the hooks.
    private func readHeldSources(_ predecessors: [Predecessor?], _ volumes: VolumeBackup, _ parameters: ChunkerParameters) throws(RepositoryError) -> Content {
        var content: Content
        do throws(RepositoryError) {
            try imaging { () throws(ImageError) in try options.reading.begin(&sources) }
            try BackupRun.require(sources)
            content = try readAll(predecessors, volumes, parameters)
            // Workers have seen all bands by now, so whether everything must be read again is known.
            try readAgainIfRefuted(&content, volumes, parameters)
        } catch {
            _ = options.reading.end()  // There will be no snapshot to speak of.
            throw error
        }
        let problems = options.reading.end()
        content.wasHeld = problems.isEmpty
        content.warnings += problems
        return content
    }

    private func readAgainIfRefuted(_ content: inout Content, _ volumes: VolumeBackup, _ parameters: ChunkerParameters) throws(RepositoryError) {
        guard counters.isFingerprintRefuted.load(ordering: .relaxed) else { return }
        // A match was wrong, so none can be believed, whatever image it was met in.
        guard totalByteCount != nil else {
            throw .invalid("a fingerprint of the parent did not hold and a stream cannot be read twice; run the backup again with --rehash")
        }
        warnings.append("a fingerprint of the parent matched other bytes; everything was read again and recognised by content. Check this machine's memory")
        progress.doneByteCount.store(0, ordering: .relaxed)
        counters.chunkCount.store(0, ordering: .relaxed)
        content = try readAll(sources.map { _ in nil }, volumes, parameters)
    }

    private func readAll(
        _ predecessors: [Predecessor?], _ volumes: VolumeBackup, _ parameters: ChunkerParameters
    ) throws(RepositoryError) -> Content {
        var content = Content()
        for (source, predecessor) in zip(sources, predecessors) {
            let pairing = options.rehashes ? nil : predecessor.map { VolumePairing($0.image) }
            var whole = FeedReport()
            let layout = source.layout ?? .whole(byteCount: source.byteCount ?? 0)
            var records: [VolumeRecord] = []
            for volume in layout.volumes {
                let part = VolumeSource(source, volume)
                let maps = pairing?.predecessor(of: volume, in: layout).flatMap { [session] record in predecessor.map { ParentMaps(session.mapReader, record, of: $0.snapshot) } }
                let (root, report) = try volumes.run(part, parent: maps)
                if let warning = maps?.warning, !content.warnings.contains(warning) { content.warnings.append(warning) }
                records.append(
                    VolumeRecord(
                        kind: volume.kind, partition: volume.partition, placements: [.init(offset: volume.range.lowerBound, byteCount: report.byteCount)],
                        averageChunkByteCount: parameters.averageByteCount, fileSystem: volume.fileSystem, root: root))
                whole.append(report, at: volume.range.lowerBound)
            }
            content.unreadable += whole.unreadable.map { (source.identity.imageName, $0) }
            content.images.append(ImageRecord(source, byteCount: whole.byteCount, label: layout.label, volumes: records))
            try note(source, whole, &content.warnings)
        }
        return content
    }

    /// Nil if a stream is among the sources.
    private var totalByteCount: UInt64? {
        var total: UInt64 = 0
        for source in sources {
            guard let byteCount = source.byteCount else { return nil }
            total += byteCount
        }
        return total
    }

    private func note(_ source: BackupSource, _ report: FeedReport, _ warnings: inout [String]) throws(RepositoryError) {
        let path = source.identity.path
        if report.hasShrunk { warnings.append("\(path): it shrank while it was read; what is missing at its end is recorded as unreadable") }
        if case .image(let reader) = source.content, !report.hasShrunk {
            let current = try imaging { () throws(ImageError) in try reader.currentByteCount() }
            if current > reader.byteCount {
                warnings.append("\(path): it grew while it was read; the snapshot has its first \(reader.byteCount) bytes")
            } else if try imaging({ () throws(ImageError) in try reader.hasChanged() }) {
                warnings.append("\(path): it was written to while it was read; the snapshot may have old contents in one place and new in another")
            }
        }
    }

    // MARK: The parent

    private struct Predecessor {
        var snapshot: SnapshotID
        var image: ImageRecord
    }

    /// The snapshot that predicts what is unchanged in this source, with its maps.
    private func predecessor(of source: BackupSource) throws(RepositoryError) -> Predecessor? {
        let name = source.identity.imageName
        func fits(_ snapshot: Snapshot) -> Bool { snapshot.manifest.images.contains { $0.name == name } }
        let chosen: Snapshot?
        switch options.parent {
        case .none: chosen = nil
        case .automatic:
            chosen = known.snapshots.last { !$0.isForgotten && $0.manifest.isComplete && $0.manifest.host == host && fits($0) }
        case .snapshot(let id):
            guard let named = known.snapshots.first(where: { $0.id == id }) else { throw .noSnapshot(id.hexadecimal) }
            chosen = fits(named) || named.manifest.images.count == 1 ? named : nil
            if chosen == nil { warnings.append("the parent \(id) has no image “\(name)”, so \(source.identity.path) is compared by content") }
        }
        guard let chosen, let image = chosen.manifest.images.first(where: { $0.name == name }) ?? chosen.manifest.images.first else { return nil }
        return Predecessor(snapshot: chosen.id, image: image)
    }
}
