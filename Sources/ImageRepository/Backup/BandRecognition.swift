import RepositoryFormat

/// What is known of a band before its bytes are with a worker.
struct KnownBand {
    /// The whole band's, if nothing is left unread.
    var entries: [MapEntry]
    /// Ranges that a worker takes as they are.
    var taken: [BandGap] = []
    /// What must be read, in order.
    var unread: [Range<Int>]
    var scan: UnchangedScan?
}

extension BandFeeder.Recognition {
    /// - Parameters:
    ///   - start: of the band in the volume.
    ///   - uniform, extent: what the source is known to hold at a place in the volume, and up to where; of `uniform` nil for data.
    ///   - recognised: told of bytes that are the parent's, and of how many of them were read and not told of otherwise.
    func look(
        _ band: UInt64, start: UInt64, byteCount: Int, uniform: UnchangedScanner.UniformRange, extent: ChangeScanner.KnownExtent,
        recognised: (_ byteCount: Int, _ readByteCount: Int) -> Void
    ) throws(RepositoryError) -> KnownBand {
        switch self {
        case .none: return KnownBand(entries: [], unread: [0..<byteCount])
        case .scanner(let scanner):
            let scan = try scanner.scan(band, start: start, byteCount: byteCount, uniform: uniform, recognised: recognised)
            return KnownBand(entries: scan.entries, unread: scan.position == byteCount ? [] : [scan.position..<byteCount], scan: scan)
        case .changes(let changes):
            let takeover = try changes.takeover(band, bandStart: start, byteCount: byteCount, extent: extent)
            recognised(takeover.taken.reduce(0) { $0 + $1.range.count }, 0)
            return KnownBand(
                entries: takeover.taken.flatMap(\.entries), taken: takeover.taken, unread: takeover.unread, scan: UnchangedScan(parent: takeover.parent))
        }
    }
}
