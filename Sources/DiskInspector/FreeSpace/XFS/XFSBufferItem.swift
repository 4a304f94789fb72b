/// What the log says of a buffer, which is a block or some of them: that parts of it have a new content, or that what was logged of it before is not to be replayed.
///
/// struct xfs_buf_log_format of xfs_log_format.h, little-endian:
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 2 | type: 0x123c |
/// | 2 | 2 | count of regions, with this one |
/// | 4 | 2 | flags; the upper 5 bits say what the buffer holds |
/// | 6 | 2 | byte count of the buffer / 512 |
/// | 8 | 8 | offset of the buffer in the volume / 512 |
/// | 16 | 4 | count of words of the bitmap |
/// | 20 |  | bitmap of the buffer's pieces of 128 bytes. Each run of bits has a region with the content, or several |
struct XFSBufferItem {
    static let type: UInt16 = 0x123C
    static let pieceByteCount = 128
    /// 64 KiB.
    private static let unitCountMax = 128
    private static let mapWordCountMax = 17

    private enum Flag {
        static let inodes: UInt16 = 1
        static let cancelled: UInt16 = 2
        static let quotas: UInt16 = 4 | 8 | 16
    }

    /// Trees, headers of groups and superblocks. Old kernels did not say what it is (0).
    private static let contentThatDecides: Set<UInt16> = [0, 4, 5, 18]

    enum Kind {
        /// What it holds may decide what is free.
        case decides
        /// Inodes, directories, lists and others, whose content nothing here asks for.
        case other
        case cancelled
    }

    struct Place: Hashable {
        /// In 512 bytes.
        let start: UInt64
        let unitCount: Int
    }

    let place: Place
    let kind: Kind
    private let map: [UInt32]
    /// Kept only of those that decide.
    var regions: [[UInt8]] = []

    init(_ format: Record) throws(InspectionFailure) {
        let flags = try format.little16(4)
        place = Place(start: try format.little64(8), unitCount: Int(try format.little16(6)))
        let mapWordCount = Int(try format.little32(16))
        try require(
            (1...XFSBufferItem.unitCountMax).contains(place.unitCount) && place.start <= 1 << 54 && mapWordCount <= XFSBufferItem.mapWordCountMax, "a buffer in its log makes no sense")
        var map: [UInt32] = []
        for index in 0..<mapWordCount { map.append(try format.little32(20 + 4 * index)) }
        self.map = map
        if flags & Flag.cancelled != 0 {
            kind = .cancelled
        } else {
            kind = flags & (Flag.inodes | Flag.quotas) == 0 && XFSBufferItem.contentThatDecides.contains(flags >> 11) ? .decides : .other
        }
    }

    /// Puts what was logged over what was there (xlog_recover_do_reg_buffer).
    func apply(to content: inout [UInt8]) throws(InspectionFailure) {
        var bit = 0
        for region in regions {
            while bit < 32 * map.count, !isSet(bit) { bit += 1 }
            var end = bit
            while end < 32 * map.count, isSet(end), (end - bit) * XFSBufferItem.pieceByteCount < region.count { end += 1 }
            let start = bit * XFSBufferItem.pieceByteCount
            try require(
                !region.isEmpty && (end - bit) * XFSBufferItem.pieceByteCount == region.count && start + region.count <= content.count, "a buffer in its log does not fit its bitmap")
            content.replaceSubrange(start..<start + region.count, with: region)
            bit = end
        }
        while bit < 32 * map.count, !isSet(bit) { bit += 1 }
        try require(bit == 32 * map.count, "a buffer in its log does not fit its bitmap")
    }

    private func isSet(_ bit: Int) -> Bool { map[bit / 32] >> UInt32(bit % 32) & 1 == 1 }
}
