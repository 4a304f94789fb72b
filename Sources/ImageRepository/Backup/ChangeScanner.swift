import Bytes
import DiskImages
import RepositoryFormat

/// What of a band need not be looked at, because a change map says that it is the parent's.
struct BandTakeover {
    var parent: ParentBand
    /// Ranges that are the parent's, with its entries; in order.
    var taken: [BandGap] = []
    /// The rest of the band, in order.
    var unread: [Range<Int>] = []

    mutating func take(_ entry: MapEntry, at position: Int) {
        let end = position + Int(entry.byteCount)
        if let last = taken.last, last.range.upperBound == position {
            taken[taken.count - 1].range = last.range.lowerBound..<end
            taken[taken.count - 1].entries.append(entry)
        } else {
            taken.append(BandGap(range: position..<end, entries: [entry]))
        }
    }

    mutating func leave(_ range: Range<Int>) {
        if range.isEmpty { return }
        if let last = unread.last, last.upperBound == range.lowerBound {
            unread[unread.count - 1] = last.lowerBound..<range.upperBound
        } else {
            unread.append(range)
        }
    }
}

/// Kinds of ranges that occur.
private struct KindSet: OptionSet {
    let rawValue: UInt32

    static let zero = KindSet(.zero)
    static let unused = KindSet(.unused)
    static let unreadable = KindSet(.unreadable)

    init(rawValue: UInt32) { self.rawValue = rawValue }

    init(_ kind: MapKind) { rawValue = 1 << UInt32(kind.rawValue) }
}

/// Takes over from the parent what a change map calls unchanged, and audits some of it. The reader's thread uses it, band after band.
///
/// Every entry is looked at, because a chunk must be there before a snapshot names it: one that a repair or a loss took away is read and stored again.
final class ChangeScanner {
    typealias KnownExtent = (UInt64) throws(RepositoryError) -> (kind: MapKind, end: UInt64)

    private static let pieceByteCount = 256 << 10

    private let changes: TrustedChanges
    private let parent: ParentMaps
    /// Of the volume, which begins at `start` in the image.
    private let reader: any ImageReader
    private let start: UInt64
    private let matcher: ParentMatcher
    private var draw: AuditDraw
    private let noteRead: (Int) -> Void
    private let buffer = AlignedBuffer(byteCapacity: Int(FormatLimits.chunkByteCountMax))

    /// - Parameter noteRead: told of bytes that were read for the audit.
    init(
        _ changes: VolumeChanges, _ parent: ParentMaps, _ reader: any ImageReader, _ matcher: ParentMatcher, noteRead: @escaping (Int) -> Void
    ) {
        self.changes = changes.image
        self.parent = parent
        self.reader = reader
        start = changes.start
        self.matcher = matcher
        draw = AuditDraw(share: changes.image.auditShare, always: changes.alwaysAudited)
        self.noteRead = noteRead
    }

    /// - Parameters:
    ///   - bandStart: in the volume.
    ///   - extent: what the source is known to hold at a place in the volume, and up to where.
    /// - Throws: `.invalid` if what was audited is not what the parent has; then `changes` says where.
    func takeover(_ band: UInt64, bandStart: UInt64, byteCount: Int, extent: KnownExtent) throws(RepositoryError) -> BandTakeover {
        var takeover = BandTakeover(parent: parent.band(band))
        var stands: [Bool] = []
        var uses = ChunkUses()
        var position = 0
        for entry in takeover.parent.entries {
            let end = position + Int(entry.byteCount)
            guard end <= byteCount else { break }
            let chunkByteCount = try standing(entry, bandStart + UInt64(position)..<bandStart + UInt64(end), extent)
            if let chunkByteCount, entry.byteCount < chunkByteCount { uses.weigh(entry.chunk, byteCount: chunkByteCount) }
            stands.append(chunkByteCount != nil)
            position = end
        }
        if !uses.isEmpty { for (entry, stands) in zip(takeover.parent.entries, stands) where stands { uses.count(entry) } }
        position = 0
        for (entry, stands) in zip(takeover.parent.entries, stands) {
            let end = position + Int(entry.byteCount)
            if stands, !uses.isRemnant(entry) {
                takeover.take(entry, at: position)
            } else {
                takeover.leave(position..<end)
            }
            position = end
        }
        takeover.leave(position..<byteCount)
        changes.noteTaken(takeover.taken.reduce(0) { $0 + UInt64($1.range.count) })
        return takeover
    }

    /// The byte count of its chunk, or 0 without one, if an entry of the parent can stand for a range of the volume without being read, or after an audit; nil if it cannot.
    private func standing(_ entry: MapEntry, _ range: Range<UInt64>, _ extent: KnownExtent) throws(RepositoryError) -> Int? {
        let isSame = changes.map.isSame(start + range.lowerBound..<start + range.upperBound)
        switch entry.kind {
        case .data:
            guard isSame, let chunkByteCount = matcher.chunkByteCount(of: entry) else { return nil }
            let holes = try kinds(range, extent)
            // What is not in use any more is not stored again.
            guard holes.isDisjoint(with: [.unused, .unreadable]) else { return nil }
            // A hole where there were data has changed, whatever the map says.
            guard draw.draws(range) || holes.contains(.zero) else { return chunkByteCount }
            return try audit(entry, range) ? chunkByteCount : nil
        case .zero:
            guard isSame else { return nil }
            let holes = try kinds(range, extent)
            guard holes.isDisjoint(with: [.unused, .unreadable]) else { return nil }
            if holes == [.zero] { return 0 }
            return try auditZeros(range) ? 0 : nil
        case .unused: return try kinds(range, extent) == [.unused] ? 0 : nil
        case .excluded, .unreadable, .map, .node: return nil
        }
    }

    /// What the source is known to hold in a range.
    private func kinds(_ range: Range<UInt64>, _ extent: KnownExtent) throws(RepositoryError) -> KindSet {
        var kinds: KindSet = []
        var place = range.lowerBound
        while place < range.upperBound {
            let found = try extent(place)
            kinds.insert(KindSet(found.kind))
            place = found.end
        }
        return kinds
    }

    /// False where the range cannot be read.
    private func audit(_ entry: MapEntry, _ range: Range<UInt64>) throws(RepositoryError) -> Bool {
        guard try fetch(range) else { return false }
        let bytes = unsafe UnsafeRawBufferPointer(start: buffer.base, count: range.count)
        switch unsafe matcher.compare(entry, bytes) {
        case .same: return true
        case .missing: return false
        case .different:
            // Once no fingerprint is believed, nobody knows.
            if matcher.isRefuted { return false }
            throw changes.refute(at: start + range.lowerBound)
        }
    }

    private func auditZeros(_ range: Range<UInt64>) throws(RepositoryError) -> Bool {
        for part in draw.parts(of: range) {
            var place = part.lowerBound
            while place < part.upperBound {
                let piece = place..<min(part.upperBound, place + UInt64(ChangeScanner.pieceByteCount))
                guard try fetch(piece) else { return false }
                guard buffer.isZero(0..<piece.count) else { throw changes.refute(at: start + piece.lowerBound) }
                place = piece.upperBound
            }
        }
        return true
    }

    private func fetch(_ range: Range<UInt64>) throws(RepositoryError) -> Bool {
        let isRead = try reader.fetch(at: range.lowerBound, range.count, into: buffer)
        changes.noteAudited(UInt64(range.count))
        noteRead(range.count)
        return isRead
    }
}
