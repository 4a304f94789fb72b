import Bytes
import Chunking
import Packing
import RepositoryFormat
import Sealing
import Synchronization

/// Counts that all workers of a session add to.
final class BackupCounters: Sendable {
    let chunkCount = Atomic<UInt64>(0)
    let newChunkCount = Atomic<UInt64>(0)
    /// A fingerprint matched bytes that were not the chunk's: from then on none is believed.
    let isFingerprintRefuted = Atomic<Bool>(false)
}

/// Turns bands into entries: recognises what the parent has, cuts the rest, and stores what is new.
///
/// One thread at a time uses a worker; that is what makes it `Sendable`. Its open segment goes on from band to band.
final class BandWorker: @unchecked Sendable {
    /// Chunks whose ids are computed together: two mebibytes on average, about a core's second-level cache.
    private static let cutCountMax = 64

    private let member: MemberKeys
    private let claims: ChunkClaims
    private let builder: SegmentBuilder
    private let table: GearTable
    private let parameters: ChunkerParameters
    private let counters: BackupCounters
    private let progress: ProgressCounters
    private let matcher: ParentMatcher

    init(
        _ session: WriteSession, sealer: DocumentSealer, table: GearTable, parameters: ChunkerParameters, level: Int?,
        counters: BackupCounters, progress: ProgressCounters, matcher: ParentMatcher
    ) {
        self.matcher = matcher
        member = sealer.member
        claims = session.claims
        builder = SegmentBuilder(.data, sealer: sealer, sessionKey: session.dataKey.secret, writer: session.dataPacks, level: level)
        self.table = table
        self.parameters = parameters
        self.counters = counters
        self.progress = progress
    }

    /// Stores the open segment.
    func flush() throws(RepositoryError) { try packing { () throws(PackingError) in try builder.flush() } }

    /// - Parameter parent: entries of the parent's band; none if there is no parent, or its fingerprints are not believed.
    func process(_ job: BandJob, parent: [MapEntry]) throws(RepositoryError) -> BandOutcome {
        let entries = try packing { () throws(PackingError) -> [MapEntry] in
            try job.buffer.withBytes(byteCount: job.byteCount) { bytes throws(PackingError) -> [MapEntry] in
                try unsafe bytes.withUnsafeBufferPointer { buffer throws(PackingError) -> [MapEntry] in
                    try unsafe makeEntries(of: bytes, UnsafeRawBufferPointer(buffer), job, parent)
                }
            }
        }
        return BandOutcome(entries, member, counters)
    }

    /// `raw` is the memory of `bytes`.
    private func makeEntries(
        of bytes: Span<UInt8>, _ raw: UnsafeRawBufferPointer, _ job: BandJob, _ parent: [MapEntry]
    ) throws(PackingError) -> [MapEntry] {
        let cutter = BandCutter(bytes, table: table, parameters: parameters)
        var entries = job.scan?.entries ?? []
        var parentPosition = ParentPosition(parent)
        var position = job.scan?.position ?? 0
        var cut: [(entry: Int, range: Range<Int>)] = []
        for gap in job.gaps + [BandGap(range: job.byteCount..<job.byteCount, entries: [])] {
            let limit = gap.range.lowerBound
            while position < limit {
                if let entry = parentPosition.entry(at: position, to: limit),
                    unsafe try reuse(entry, raw, position, job.band)
                {
                    entries.append(entry)
                    position += Int(entry.byteCount)
                    continue
                }
                let piece = cutter.nextPiece(in: bytes, at: position, to: limit)
                switch piece {
                case .zero(let range): BandWorker.append(MapEntry(kind: .zero, byteCount: UInt32(range.count)), to: &entries)
                case .data(let range):
                    cut.append((entries.count, range))
                    entries.append(MapEntry(kind: .data, byteCount: UInt32(range.count)))
                    if cut.count == BandWorker.cutCountMax { unsafe try storeCut(&cut, &entries, raw, job.band) }
                }
                position = piece.range.upperBound
            }
            for entry in gap.entries { BandWorker.append(entry, to: &entries) }
            position = gap.range.upperBound
        }
        unsafe try storeCut(&cut, &entries, raw, job.band)
        return entries
    }

    /// Whether the parent's entry stands for these bytes, and its chunk is there or could be stored.
    private func reuse(
        _ entry: MapEntry, _ raw: UnsafeRawBufferPointer, _ position: Int, _ band: UInt64
    ) throws(PackingError) -> Bool {
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: raw[position..<position + Int(entry.byteCount)])
        return switch unsafe matcher.compare(entry, bytes) {
        case .same: true
        case .different: false
        case .missing: unsafe try storeAgain(entry, bytes, band, position)
        }
    }

    /// The parent's chunk has no counting location: stores it again, if these bytes are all of it.
    private func storeAgain(
        _ entry: MapEntry, _ bytes: UnsafeRawBufferPointer, _ band: UInt64, _ offset: Int
    ) throws(PackingError) -> Bool {
        guard unsafe member.chunkID(.data, bytes) == entry.chunk else { return false }
        if claims.claim(entry.chunk, byteCount: bytes.count) { unsafe try add(entry.chunk, bytes, band, offset) }
        return true
    }

    /// Stores what is new of the pieces that were cut, and completes their entries.
    private func storeCut(
        _ cut: inout [(entry: Int, range: Range<Int>)], _ entries: inout [MapEntry], _ raw: UnsafeRawBufferPointer, _ band: UInt64
    ) throws(PackingError) {
        let ids = unsafe member.chunkIDs(.data, cut.map(\.range), in: raw)
        for ((entry, range), id) in zip(cut, ids) {
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: raw[range])
            if claims.claim(id, byteCount: bytes.count) { unsafe try add(id, bytes, band, range.lowerBound) }
            entries[entry].chunk = id
            unsafe entries[entry].fingerprint = member.fingerprint(bytes)
        }
        cut.removeAll(keepingCapacity: true)
    }

    private func add(_ id: ChunkID, _ bytes: UnsafeRawBufferPointer, _ band: UInt64, _ offset: Int) throws(PackingError) {
        unsafe try builder.append(id, bytes, band: band, offset: offset)
        counters.newChunkCount.add(1, ordering: .relaxed)
        progress.newByteCount.add(UInt64(bytes.count), ordering: .relaxed)
    }

    /// Joins neighbours of one uniform kind.
    private static func append(_ entry: MapEntry, to entries: inout [MapEntry]) {
        if let last = entries.last, last.kind == entry.kind, entry.kind.isUniform {
            entries[entries.count - 1].byteCount += entry.byteCount
        } else {
            entries.append(entry)
        }
    }
}
