import Bytes
import Chunking
import DiskImages
import RepositoryFormat
import Synchronization
import Threading

/// Where read bands go, and where their buffers come from.
struct BandSink: Sendable {
    let buffers: Pool<AlignedBuffer>
    let jobs: BoundedQueue<BandJob>
    let outcomes: OrderedOutcomes
    let failure = FirstFailure<RepositoryError>()

    /// Notes a failure, and lets nobody wait for an outcome that will not come.
    func fail(_ error: RepositoryError) {
        failure.record(error)
        outcomes.close()
    }
}

/// Reads a source from start to end, band by band, as the only one who does.
struct BandFeeder: Sendable {
    /// Read at once: large enough for the device, small enough to be hot when it is looked at.
    private static let pieceByteCount = 1 << 20
    private static let bandByteCount = UInt64(FormatLimits.bandByteCount)

    let sink: BandSink
    let limit: RateLimit?
    let progress: ProgressCounters
    let cancellation: Cancellation

    /// What knows of bands that they are the parent's.
    enum Recognition {
        case none
        case scanner(UnchangedScanner)
        case changes(ChangeScanner)
    }

    /// Reads an image. Holes are not read, and whole bands of them become one outcome.
    ///
    /// - Parameter recognise: makes an outcome of a band that was recognised as a whole.
    func feed(
        _ reader: any ImageReader, sectorByteCount: UInt32, _ recognition: Recognition, recognise: ([MapEntry]) -> BandOutcome
    ) throws(RepositoryError) -> FeedReport {
        var report = FeedReport(byteCount: reader.byteCount)
        var extents = ExtentCursor(reader)
        let unreadable = UnreadableRangeScanner(sectorByteCount: sectorByteCount)
        let bandCount = MapGeometry(byteCount: reader.byteCount).bandCount
        var band: UInt64 = 0
        while band < bandCount {
            try check()
            let start = band * BandFeeder.bandByteCount
            if let (kind, end) = try uniform(reader, &extents, at: start, &report) {
                let bands = end >= reader.byteCount ? bandCount - band : (end / BandFeeder.bandByteCount) - band
                if bands > 0 {
                    if kind == .unreadable { report.addUnreadable(start..<min(start + bands * BandFeeder.bandByteCount, reader.byteCount)) }
                    sink.outcomes.put(.uniform(kind, bandCount: bands), at: band)
                    noteDone(min(bands * BandFeeder.bandByteCount, reader.byteCount - start))
                    band += bands
                    continue
                }
            }
            let byteCount = Int(min(BandFeeder.bandByteCount, reader.byteCount - start))
            let known = try recognition.look(
                band, start: start, byteCount: byteCount,
                uniform: { offset throws(RepositoryError) in try uniform(reader, &extents, at: offset, &report) },
                extent: { offset throws(RepositoryError) in
                    if let found = try uniform(reader, &extents, at: offset, &report) { return found }
                    return (.data, try extents.extent(at: offset).end)
                },
                recognised: { byteCount, readByteCount in
                    progress.readByteCount.add(UInt64(readByteCount), ordering: .relaxed)
                    noteDone(UInt64(byteCount))
                })
            if known.unread.isEmpty {
                sink.outcomes.put(recognise(known.entries), at: band)
                band += 1
                continue
            }
            let buffer = sink.buffers.take()
            do throws(RepositoryError) {
                var gaps = known.taken
                gaps += try fill(buffer, known.unread, byteCount: byteCount, reader, &extents, start, unreadable, &report)
                gaps.sort { $0.range.lowerBound < $1.range.lowerBound }
                hand(BandJob(band: band, buffer: buffer, byteCount: byteCount, gaps: gaps, scan: known.scan))
            } catch {
                sink.buffers.giveBack(buffer)
                throw error
            }
            band += 1
        }
        return report
    }

    /// Reads a stream to its end. Nothing is known before.
    func feed(_ stream: any ImageStream) throws(RepositoryError) -> FeedReport {
        var report = FeedReport()
        var band: UInt64 = 0
        while true {
            try check()
            let buffer = sink.buffers.take()
            var filled = 0
            do throws(RepositoryError) {
                while filled < FormatLimits.bandByteCount {
                    let count = try imaging { () throws(ImageError) in
                        try buffer.withMutableBytes(in: filled..<min(filled + BandFeeder.pieceByteCount, FormatLimits.bandByteCount)) { bytes throws(ImageError) in
                            try stream.read(into: &bytes)
                        }
                    }
                    guard count > 0 else { break }
                    filled += count
                    noteRead(count)
                    noteDone(UInt64(count))
                    try cancellation.check()
                }
            } catch {
                sink.buffers.giveBack(buffer)
                throw error
            }
            guard filled > 0 else {
                sink.buffers.giveBack(buffer)
                break
            }
            report.byteCount += UInt64(filled)
            hand(BandJob(band: band, buffer: buffer, byteCount: filled, gaps: []))
            band += 1
            guard filled == FormatLimits.bandByteCount else { break }
        }
        try imaging { () throws(ImageError) in try stream.finish() }
        // As a rule what should have written into a pipe has failed.
        guard report.byteCount > 0 else { throw .invalid("the stream ended before its first byte; no snapshot was made") }
        return report
    }

    private func check() throws(RepositoryError) {
        try cancellation.check()
        try sink.failure.check()
    }

    /// Gives the job to a worker; if there are none any more, a failure is noted already.
    private func hand(_ job: BandJob) {
        if !sink.jobs.put(job) { sink.buffers.giveBack(job.buffer) }
    }

    func noteRead(_ byteCount: Int) {
        progress.readByteCount.add(UInt64(byteCount), ordering: .relaxed)
        limit?.wait(afterReading: byteCount, cancellation)
    }

    private func noteDone(_ byteCount: UInt64) { progress.doneByteCount.add(byteCount, ordering: .relaxed) }

    /// Whether the source is known to hold nothing, or nothing that is needed, or to have ended, from `offset` on, and up to where.
    private func uniform(
        _ reader: any ImageReader, _ extents: inout ExtentCursor, at offset: UInt64, _ report: inout FeedReport
    ) throws(RepositoryError) -> (kind: MapKind, end: UInt64)? {
        let extent = try extents.extent(at: offset)
        guard extent.kind != .data else { return nil }
        let kind: MapKind = extent.kind == .unused ? .unused : .zero
        // Behind the end of a source that shrank there is a hole too, but what stood there is lost and not zero.
        let current = try imaging { () throws(ImageError) in try reader.currentByteCount() }
        guard current < extent.end else { return (kind, extent.end) }
        report.hasShrunk = true
        return current <= offset ? (.unreadable, reader.byteCount) : (kind, current)
    }

    /// Fills the buffer with ranges of a band, in whole blocks, of which each is read once; answers which parts of the ranges could not be read, or are not used.
    func fill(
        _ buffer: AlignedBuffer, _ unread: [Range<Int>], byteCount: Int, _ reader: any ImageReader, _ extents: inout ExtentCursor, _ start: UInt64,
        _ scanner: UnreadableRangeScanner, _ report: inout FeedReport
    ) throws(RepositoryError) -> [BandGap] {
        var gaps: [BandGap] = []
        let block = ZeroBlocks.blockByteCount
        var position = 0
        for (number, asked) in unread.enumerated() {
            /// What of a range was asked for, from this range of them on.
            func wanted(_ range: Range<Int>) -> [Range<Int>] {
                unread[number...].prefix { $0.lowerBound < range.upperBound }.map { $0.clamped(to: range) }.filter { !$0.isEmpty }
            }
            func note(_ kind: MapKind, _ range: Range<Int>, _ report: inout FeedReport) {
                for range in wanted(range) {
                    if kind == .unreadable { report.addUnreadable(start + UInt64(range.lowerBound)..<start + UInt64(range.upperBound)) }
                    gaps.append(BandGap(kind, range))
                }
            }
            let end = min((asked.upperBound + block - 1) / block * block, byteCount)
            // The block in which the range before ended holds the begin of this one as well.
            position = max(position, asked.lowerBound / block * block)
            while position < end {
                try cancellation.check()
                if let (kind, kindEnd) = try uniform(reader, &extents, at: start + UInt64(position), &report) {
                    let range = position..<Int(min(UInt64(end), kindEnd - start))
                    buffer.zero(range)
                    noteDone(wanted(range).reduce(0) { $0 + UInt64($1.count) })
                    if kind != .zero { note(kind, range, &report) }
                    position = range.upperBound
                    continue
                }
                let extent = try extents.extent(at: start + UInt64(position))
                let range = position..<min(position + BandFeeder.pieceByteCount, end, Int(min(UInt64(end), extent.end - start)))
                let outcome = try imaging { () throws(ImageError) in
                    try buffer.withMutableBytes(in: range) { bytes throws(ImageError) in
                        try scanner.read(from: reader, at: start + UInt64(position), into: &bytes)
                    }
                }
                for bad in outcome.unreadable { note(.unreadable, Int(bad.lowerBound - start)..<Int(bad.upperBound - start), &report) }
                if outcome.endedAt != nil { report.hasShrunk = true }
                let count = wanted(range).reduce(0) { $0 + $1.count }
                noteRead(count)
                noteDone(UInt64(count))
                position = range.upperBound
            }
        }
        return gaps
    }
}
