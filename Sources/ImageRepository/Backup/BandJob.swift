import Bytes
import RepositoryFormat
import Sealing
import Synchronization

/// A band that was read and waits for a worker.
struct BandJob: Sendable {
    var band: UInt64
    var buffer: AlignedBuffer
    var byteCount: Int
    /// In order.
    var gaps: [BandGap]
    /// What was recognised when it was read. The buffer holds the band from the block of its position on.
    var scan: UnchangedScan?
}

/// A range within a band that a worker need not look at. What the buffer holds there means nothing.
struct BandGap: Sendable {
    var range: Range<Int>
    /// They cover the range: one that is unreadable or unused, or those that the parent has.
    var entries: [MapEntry]

    init(range: Range<Int>, entries: [MapEntry]) {
        self.range = range
        self.entries = entries
    }

    init(_ kind: MapKind, _ range: Range<Int>) { self.init(range: range, entries: [MapEntry(kind: kind, byteCount: UInt32(range.count))]) }
}

/// What became of a band, or of a run of bands that needed no reading.
enum BandOutcome: Sendable {
    case map(bytes: [UInt8], id: ChunkID)
    case uniform(MapKind, bandCount: UInt64)

    var bandCount: UInt64 {
        switch self {
        case .map: 1
        case .uniform(_, let bandCount): bandCount
        }
    }

    /// The outcome of a band with these entries, which are counted.
    init(_ entries: [MapEntry], _ member: MemberKeys, _ counters: BackupCounters) {
        counters.chunkCount.add(UInt64(entries.count { $0.kind == .data }), ordering: .relaxed)
        if let first = entries.first, first.kind.isUniform, entries.count == 1 {
            self = .uniform(first.kind, bandCount: 1)
        } else {
            let map = BandMap(entries: entries).encoded
            self = .map(bytes: map, id: unsafe map.withUnsafeBytes { unsafe member.chunkID(.map, $0) })
        }
    }
}
