import Bytes
import DiskImages
import Packing
import RepositoryFormat
import Sealing
import Threading

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
    func run(_ source: BackupSource, parent: ParentMaps?) throws(RepositoryError) -> (root: MapSlot, report: FeedReport) {
        let sink = BandSink(
            buffers: buffers, jobs: BoundedQueue(limit: 2), outcomes: OrderedOutcomes())
        let feeder = BandFeeder(sink: sink, limit: limit, progress: progress, cancellation: cancellation)
        let report = Monitor<FeedReport?>(nil)
        let threads = startWorkers(sink, parent)
        let reading = WorkerThread("reader") { [member, counters, makeMatcher, threadCount = workers.count] in
            do throws(RepositoryError) {
                let found =
                    switch source.content {
                    case .image(let reader):
                        try feeder.feed(
                            reader, sectorByteCount: source.identity.logicalSectorByteCount,
                            scanner: parent.map { parent in
                                UnchangedScanner(
                                    parent, reader, limit: feeder.limit, cancellation: feeder.cancellation, threadCount: threadCount, makeMatcher: makeMatcher)
                            },
                            recognise: { BandOutcome($0, member, counters) })
                    case .stream(let stream): try feeder.feed(stream)
                    }
                report.withLock { $0 = found }
            } catch { sink.fail(error) }
            sink.jobs.close()
        }
        let closing = WorkerThread("closer") { [threads = Threads(threads)] in
            // Outcomes end when the last worker has ended, which is after the reader has.
            threads.join()
            sink.outcomes.close()
        }
        var tree = MapTreeBuilder()
        do throws(RepositoryError) {
            try collect(sink, &tree)
        } catch {
            sink.fail(error)
            // The others still produce; nobody must wait for room.
            while sink.outcomes.take() != nil {}
        }
        reading.join()
        closing.join()
        try sink.failure.check()
        guard let report = report.withLock({ $0 }) else { throw .cancelled }
        let root = try tree.finish(byteCount: report.byteCount) { bytes throws(RepositoryError) in try storeNode(bytes) }
        return (root, report)
    }

    private func startWorkers(_ sink: BandSink, _ parent: ParentMaps?) -> [WorkerThread] {
        workers.map { worker in
            WorkerThread("band worker") {
                while let job = sink.jobs.take() {
                    if sink.failure.value == nil {
                        do throws(RepositoryError) {
                            sink.outcomes.put(try worker.process(job, parent: job.scan?.parent ?? parent?.entries(job.band) ?? []), at: job.band)
                        } catch { sink.fail(error) }
                    }
                    sink.buffers.giveBack(job.buffer)
                }
            }
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

/// Carries threads to the one that joins them.
private final class Threads: @unchecked Sendable {
    private let threads: [WorkerThread]
    init(_ threads: [WorkerThread]) { self.threads = threads }
    func join() { for thread in threads { thread.join() } }
}
