import Bytes
import DiskImages
import RepositoryFormat
import Synchronization

/// Reads some of what a change map calls zero.
struct ZeroAudit {
    private let reader: any ImageReader
    private let changes: TrustedChanges
    private let limit: RateLimit?
    private let progress: ProgressCounters
    private let cancellation: Cancellation

    init(_ reader: any ImageReader, _ changes: TrustedChanges, _ limit: RateLimit?, _ progress: ProgressCounters, _ cancellation: Cancellation) {
        self.reader = reader
        self.changes = changes
        self.limit = limit
        self.progress = progress
        self.cancellation = cancellation
    }

    /// - Parameters:
    ///   - ranges: of the image, in order.
    ///   - always: what of it is read in any case, in order.
    /// - Throws: `.invalid` if something stands there; then `changes` says where.
    func run(_ ranges: [Range<UInt64>], always: [Range<UInt64>]) throws(RepositoryError) {
        var draw = AuditDraw(share: changes.auditShare, always: always)
        let buffer = AlignedBuffer(byteCapacity: Int(AuditDraw.windowByteCount))
        for part in ranges.flatMap({ draw.parts(of: $0) }) {
            var place = part.lowerBound
            while place < part.upperBound {
                try cancellation.check()
                let extent = try imaging { () throws(ImageError) in try reader.extent(at: place) }
                let piece = place..<min(extent.end, part.upperBound, place + AuditDraw.windowByteCount)
                // What the source itself says is zero need not be read.
                if extent.kind == .data { try audit(piece, buffer) }
                place = piece.upperBound
            }
        }
    }

    private func audit(_ piece: Range<UInt64>, _ buffer: AlignedBuffer) throws(RepositoryError) {
        let isRead = try reader.fetch(at: piece.lowerBound, piece.count, into: buffer)
        changes.noteAudited(UInt64(piece.count))
        progress.readByteCount.add(UInt64(piece.count), ordering: .relaxed)
        limit?.wait(afterReading: piece.count, cancellation)
        // What cannot be read refutes nothing.
        guard !isRead || buffer.isZero(0..<piece.count) else { throw changes.refute(at: piece.lowerBound) }
    }
}
