import Bytes
import DiskImages
import Packing
import RepositoryFormat
import Sealing
import Threading

/// One volume as it is read.
struct VolumeSource: Sendable {
    var content: BackupSource.Content
    var sectorByteCount: UInt32
    /// Nil where nobody knows what changed.
    var changes: VolumeChanges?

    init(_ source: BackupSource, _ volume: SourceVolume, _ changes: TrustedChanges?) {
        sectorByteCount = source.identity.logicalSectorByteCount
        var content = source.content
        if case .image(let reader) = content {
            var image = reader
            if let changes { image = ZeroedReader(image, changes.map) }
            if source.layout != nil { image = VolumeReader(image, range: volume.range, free: volume.free) }
            content = .image(image)
        }
        self.content = content
        self.changes = changes.map {
            VolumeChanges(image: $0, start: volume.range.lowerBound, alwaysAudited: $0.alwaysAudited(of: volume, imageByteCount: $0.map.byteCount))
        }
    }
}

/// Backs up one volume: one thread reads, workers cut and store, the calling thread builds the map tree.
struct VolumeBackup {
    let session: WriteSession
    let workers: [BandWorker]
    let buffers: Pool<AlignedBuffer>
    let limit: RateLimit?
    let progress: ProgressCounters
    let cancellation: Cancellation
    let member: MemberKeys
    let counters: BackupCounters
    /// A new one for each thread.
    let makeMatcher: @Sendable () -> ParentMatcher

    /// Stores everything and returns the map root. All threads have ended when it returns or throws.
    ///
    /// - Parameter blocks: of the volume, as far as this machine knows it.
    func run(_ source: VolumeSource, parent: ParentMaps?, blocks: BlockCache?) throws(RepositoryError) -> (root: MapSlot, report: FeedReport) {
        let sink = BandSink(
            buffers: buffers, jobs: BoundedQueue(limit: 2), outcomes: OrderedOutcomes())
        let feeder = BandFeeder(sink: sink, limit: limit, progress: progress, cancellation: cancellation)
        let report = Monitor<FeedReport?>(nil)
        let reading: WorkerThread
        do throws(ThreadError) {
            reading = try WorkerThread("reader") { [member, counters, makeMatcher, threadCount = workers.count] in
                do throws(RepositoryError) {
                    let found =
                        switch source.content {
                        case .image(let reader):
                            try feeder.feed(
                                reader, sectorByteCount: source.sectorByteCount,
                                VolumeBackup.recognition(source, reader, parent, feeder, threadCount, makeMatcher),
                                recognise: { BandOutcome($0, member, counters) })
                        case .stream(let stream): try feeder.feed(stream)
                        }
                    report.withLock { $0 = found }
                } catch { sink.fail(error) }
                sink.jobs.close()
            }
        } catch { throw .noThread(reason: "\(error)") }
        let working = startWorkers(sink, parent, blocks)
        var tree = MapTreeBuilder()
        do throws(RepositoryError) {
            try collect(sink, &tree)
        } catch {
            sink.fail(error)
            // The others still produce; nobody must wait for room.
            while sink.outcomes.take() != nil {}
        }
        reading.join()
        for thread in working { thread.join() }
        try sink.failure.check()
        guard let report = report.withLock({ $0 }) else { throw .cancelled }
        let root = try tree.finish(byteCount: report.byteCount) { bytes throws(RepositoryError) in try storeNode(bytes) }
        return (root, report)
    }

    private static func recognition(
        _ source: VolumeSource, _ reader: any ImageReader, _ parent: ParentMaps?, _ feeder: BandFeeder, _ threadCount: Int, _ makeMatcher: () -> ParentMatcher
    ) -> BandFeeder.Recognition {
        guard let parent else { return .none }
        if let changes = source.changes { return .changes(ChangeScanner(changes, parent, reader, makeMatcher()) { feeder.noteRead($0) }) }
        return .scanner(
            UnchangedScanner(parent, reader, limit: feeder.limit, cancellation: feeder.cancellation, threadCount: threadCount, makeMatcher: makeMatcher))
    }

    /// Starts as many as there is room for; without any the backup has failed. The last one to end, which is after the reader has, closes the outcomes.
    private func startWorkers(_ sink: BandSink, _ parent: ParentMaps?, _ blocks: BlockCache?) -> [WorkerThread] {
        let running = Monitor(0)
        let leave: @Sendable () -> Void = {
            let isLast = running.withLock { count in
                count -= 1
                return count == 0
            }
            // Once too often where all there was to do is done before the next one starts.
            if isLast { sink.outcomes.close() }
        }
        var threads: [WorkerThread] = []
        do throws(ThreadError) {
            for worker in workers {
                running.withLock { $0 += 1 }
                threads.append(
                    try WorkerThread("band worker") {
                        VolumeBackup.work(worker, sink, parent, blocks)
                        leave()
                    })
            }
        } catch {
            leave()
            guard threads.isEmpty else { return threads }
            sink.fail(.noThread(reason: "\(error)"))
            sink.jobs.close()
            while let job = sink.jobs.take() { sink.buffers.giveBack(job.buffer) }
        }
        return threads
    }

    private static func work(_ worker: BandWorker, _ sink: BandSink, _ parent: ParentMaps?, _ blocks: BlockCache?) {
        while let job = sink.jobs.take() {
            if sink.failure.value == nil {
                do throws(RepositoryError) {
                    let known = job.scan?.parent ?? parent?.band(job.band) ?? ParentBand()
                    sink.outcomes.put(try worker.process(job, parent: known, blocks: blocks), at: job.band)
                } catch { sink.fail(error) }
            }
            sink.buffers.giveBack(job.buffer)
        }
    }

    private func collect(_ sink: BandSink, _ tree: inout MapTreeBuilder) throws(RepositoryError) {
        while let (band, outcome) = sink.outcomes.take() {
            switch outcome {
            case .map(let bytes, let id):
                try session.storeMap(bytes, id, near: band)
                try tree.append(MapSlot(kind: .map, id: id)) { bytes throws(RepositoryError) in try storeNode(bytes) }
            case .uniform(let kind, let bandCount):
                try tree.append(kind, count: bandCount) { bytes throws(RepositoryError) in try storeNode(bytes) }
            }
            try session.indexOnTheWay()
            session.heartbeat.beat()
        }
    }

    private func storeNode(_ bytes: [UInt8]) throws(RepositoryError) -> ChunkID {
        let id = unsafe bytes.withUnsafeBytes { unsafe member.chunkID(.map, $0) }
        try session.storeMap(bytes, id, near: 0)
        return id
    }
}
