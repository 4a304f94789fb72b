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
        let blockCaches = repository.environment.cacheFolder.map {
            BlockCacheFolder(path: "\($0)/\(repository.id.hexadecimal)/blocks", host: host, member: repository.sealer.member)
        }
        let images = ImageBackup(volumes: volumes, options: options, averageChunkByteCount: parameters.averageByteCount, blockCaches: blockCaches)
        let predecessors = try sources.map { source throws(RepositoryError) in
            let (predecessor, warning) = try Predecessor.of(source, in: known, host: host, options.parent)
            if let warning { warnings.append(warning) }
            return predecessor
        }
        let content = try readHeldSources(predecessors, images)
        blockCaches?.removeOld(now: repository.environment.now())
        warnings += content.warnings
        for worker in workers { try worker.flush() }
        try cancellation.check()
        let parent = predecessors.lazy.compactMap { $0?.snapshot }.first
        let (manifest, digest) = try session.commit { storedByteCount throws(RepositoryError) in
            makeManifest(content, parent: parent, storedByteCount: storedByteCount)
        }
        do throws(RepositoryError) {
            if let warning = try repository.pinCommitted(manifest.snapshot), !repository.warnings.contains(warning) { warnings.append(warning) }
        } catch {
            // There is a snapshot, and nobody may be told that there is none.
            warnings.append("it is not known whether the snapshot before this one is still there (\(error.reason))")
        }
        return BackupReport(
            snapshot: Snapshot(manifest: manifest, digest: digest, slot: repository.slot, isForgotten: false, isProtected: false, isDoubtful: false),
            warnings: session.warnings + warnings, unreadable: content.unreadable, changeMaps: content.changeMaps, dataPackCount: session.dataPacks.packCount,
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

    /// Reads all sources, for as short a time as can be between the hooks.
    private func readHeldSources(_ predecessors: [Predecessor?], _ images: ImageBackup) throws(RepositoryError) -> BackupContent {
        var content: BackupContent
        do throws(RepositoryError) {
            try imaging { () throws(ImageError) in try options.reading.begin(&sources) }
            try BackupRun.require(sources)
            content = try readAll(predecessors, images)
            // Workers have seen all bands by now, so whether everything must be read again is known.
            try readAgainIfRefuted(&content, images)
        } catch {
            _ = options.reading.end()  // There will be no snapshot to speak of.
            throw error
        }
        let problems = options.reading.end()
        content.wasHeld = problems.isEmpty
        content.warnings += problems
        return content
    }

    private func readAgainIfRefuted(_ content: inout BackupContent, _ images: ImageBackup) throws(RepositoryError) {
        guard counters.isFingerprintRefuted.load(ordering: .relaxed) else { return }
        // A match was wrong, so none can be believed, whatever image it was met in.
        guard totalByteCount != nil else {
            throw .invalid("a fingerprint of the parent did not hold and a stream cannot be read twice; run the backup again with --rehash")
        }
        warnings.append("a fingerprint of the parent matched other bytes; everything was read again and recognised by content. Check this machine's memory")
        progress.doneByteCount.store(0, ordering: .relaxed)
        counters.chunkCount.store(0, ordering: .relaxed)
        content = try readAll(sources.map { _ in nil }, images)
    }

    private func readAll(_ predecessors: [Predecessor?], _ images: ImageBackup) throws(RepositoryError) -> BackupContent {
        var content = BackupContent()
        for (source, predecessor) in zip(sources, predecessors) { try images.run(source, predecessor, &content) }
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
}
