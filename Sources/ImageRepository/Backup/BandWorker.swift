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
    /// Of the band that is processed, and of what the parent has there.
    private var (blocks, formerBlocks) = (BandBlocks(), BandBlocks())

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

    /// - Parameters:
    ///   - parent: nothing if there is no parent, or its fingerprints are not believed.
    ///   - blocks: where fingerprints of the parent's blocks may be, and those of this band go.
    func process(_ job: BandJob, parent: ParentBand, blocks: BlockCache?) throws(RepositoryError) -> BandOutcome {
        let slot = if let blocks, let map = parent.map { blocks.load(job.band, map, into: &formerBlocks) } else { BlockCache.Slot?.none }
        let hasFormer = slot != nil
        let entries = try packing { () throws(PackingError) -> [MapEntry] in
            try job.buffer.withBytes(byteCount: job.byteCount) { bytes throws(PackingError) -> [MapEntry] in
                try unsafe bytes.withUnsafeBufferPointer { buffer throws(PackingError) -> [MapEntry] in
                    let raw = UnsafeRawBufferPointer(buffer)
                    let cutter = BandCutter(bytes, table: table, parameters: parameters)
                    if blocks != nil { unsafe self.blocks.note(job, raw, cutter.zeroBlocks, former: hasFormer ? formerBlocks : nil, member) }
                    let kept = unsafe try keep(parent.entries, raw, job, hasFormer: hasFormer)
                    return try unsafe makeEntries(of: bytes, raw, cutter, job, kept)
                }
            }
        }
        let outcome = BandOutcome(entries, member, counters)
        if let blocks, !matcher.isRefuted, case .map(_, let id) = outcome { blocks.store(&self.blocks, job.band, id, parent: slot) }
        return outcome
    }

    /// What of the parent's entries stands for these bytes, in order: whole entries whose chunk is there or could be stored, and parts of those of which a part has changed.
    private func keep(
        _ parent: [MapEntry], _ raw: UnsafeRawBufferPointer, _ job: BandJob, hasFormer: Bool
    ) throws(PackingError) -> [PlacedEntry] {
        var kept = KeptEntries()
        var gaps = job.gaps[...]
        let start = job.scan?.position ?? 0
        var position = 0
        for entry in parent {
            let range = position..<position + Int(entry.byteCount)
            position = range.upperBound
            guard range.upperBound <= job.byteCount else { break }
            guard entry.kind == .data, range.lowerBound >= start else { continue }
            while let gap = gaps.first, gap.range.upperBound <= range.lowerBound { gaps.removeFirst() }
            let missing = gaps.prefix { $0.range.lowerBound < range.upperBound }
            guard missing.isEmpty else {
                // Most often what a file had that was deleted. What was taken from the parent is in its place already.
                guard hasFormer, missing.allSatisfy({ $0.entries.allSatisfy(\.kind.isUniform) }) else { continue }
                unsafe keepParts(of: entry, range, missing.map(\.range), raw, &kept)
                continue
            }
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: raw[range])
            switch unsafe matcher.compare(entry, bytes) {
            case .same(let chunkByteCount):
                if range.count < chunkByteCount { kept.weigh(entry.chunk, byteCount: chunkByteCount) }
                kept.append(entry, at: range.lowerBound)
            case .missing:
                if unsafe try storeAgain(entry, bytes, job.band, range.lowerBound) { kept.append(entry, at: range.lowerBound) }
            case .different:
                if hasFormer { unsafe keepParts(of: entry, range, [], raw, &kept) }
            }
        }
        kept.dropRemnants(beside: (job.scan?.entries ?? []) + job.gaps.flatMap(\.entries))
        return kept.entries
    }

    /// Keeps the runs of blocks within the range of an entry that are what they were. None if all seem to be: the entry's own fingerprint says that something has changed.
    ///
    /// - Parameter missing: what of the range the buffer does not hold.
    private func keepParts(of entry: MapEntry, _ range: Range<Int>, _ missing: [Range<Int>], _ raw: UnsafeRawBufferPointer, _ kept: inout KeptEntries) {
        guard !matcher.isRefuted, let chunkByteCount = matcher.chunkByteCount(of: entry) else { return }
        kept.weigh(entry.chunk, byteCount: chunkByteCount)
        var start = range.lowerBound
        for end in missing.map(\.lowerBound) + [range.upperBound] {
            for part in blocks.unchangedParts(of: start..<max(start, end), since: formerBlocks) where part.count >= KeptEntries.partByteCountMin && part != range {
                var reference = entry
                reference.byteCount = UInt32(part.count)
                reference.chunkOffset += UInt32(part.lowerBound - range.lowerBound)
                unsafe reference.fingerprint = member.fingerprint(UnsafeRawBufferPointer(rebasing: raw[part]))
                kept.append(reference, at: part.lowerBound)
            }
            start = missing.first { $0.lowerBound == end }?.upperBound ?? range.upperBound
        }
    }

    /// Cuts what is not kept. `raw` is the memory of `bytes`.
    private func makeEntries(
        of bytes: Span<UInt8>, _ raw: UnsafeRawBufferPointer, _ cutter: BandCutter, _ job: BandJob, _ kept: [PlacedEntry]
    ) throws(PackingError) -> [MapEntry] {
        var entries = job.scan?.entries ?? []
        var position = job.scan?.position ?? 0
        var cut: [(entry: Int, range: Range<Int>)] = []
        var (kept, gaps) = (kept[...], job.gaps[...])
        while true {
            let limit = min(kept.first?.position ?? job.byteCount, gaps.first?.range.lowerBound ?? job.byteCount)
            while position < limit {
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
            if let next = kept.first, next.position == position {
                entries.append(next.entry)
                position += Int(next.entry.byteCount)
                kept.removeFirst()
            } else if let gap = gaps.first {
                for entry in gap.entries { BandWorker.append(entry, to: &entries) }
                position = gap.range.upperBound
                gaps.removeFirst()
            } else {
                break
            }
        }
        unsafe try storeCut(&cut, &entries, raw, job.band)
        return entries
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
