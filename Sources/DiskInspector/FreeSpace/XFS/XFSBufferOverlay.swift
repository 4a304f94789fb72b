/// Blocks that decide what is free, as they will be once the log was replayed.
struct XFSBufferOverlay {
    private struct Buffer {
        var content: [UInt8]
        /// What it is to be stamped with when the transactions of that LSN are through.
        var lsn: UInt64
    }

    /// Where blocks that have it keep their LSN, an UUID and a checksum.
    private struct Stamp {
        var lsn: Int
        var uuid: Int
        var checksum: Int
    }

    private static let byteCountMax = 64 << 20
    private static let otherCountMax = 1 << 20
    private static let unit = UInt64(XFSLogArea.unitByteCount)

    private let volume: SourceWindow
    private let superblock: XFSSuperblock
    private var buffers: [UInt64: Buffer] = [:]
    private var byteCount = 0
    /// Blocks, by their beginning, of which it is not known here what will be in them.
    private var others: Set<UInt64> = []
    /// Buffers that are not stamped yet.
    private var unstamped: [UInt64] = []
    /// Where the log ends; nil if nothing is replayed. What says to be newer belongs to another moment.
    private let logEnd: UInt64?

    init(_ volume: SourceWindow, _ superblock: XFSSuperblock, logEnd: UInt64?) {
        self.volume = volume
        self.superblock = superblock
        self.logEnd = logEnd
    }

    /// A block or a sector that has a checksum at that offset, if the file system has checksums. What was replayed gets a new one only when it is written.
    func read(at offset: UInt64, byteCount: Int, checksumAt checksumOffset: Int) throws(InspectionFailure) -> Record {
        try require(!others.contains(offset / XFSBufferOverlay.unit), "it holds something else")
        if let buffer = buffers[offset / XFSBufferOverlay.unit] {
            try require(buffer.content.count == byteCount, "it holds something else")
            return Record(buffer.content)
        }
        let record = try volume.read(at: offset, byteCount: byteCount)
        guard superblock.hasChecksums else { return record }
        try XFSSuperblock.requireChecksum(record, at: checksumOffset)
        if let logEnd, let stamp = stamp(of: record) {
            let lsn = try record.big64(stamp.lsn)
            try require(lsn <= logEnd || lsn == ~0, "it is newer than the log")
        }
        return record
    }

    /// Lets a transaction of that LSN change a buffer, unless that is newer already (xlog_recover_buf_commit_pass2).
    mutating func replay(_ item: XFSBufferItem, lsn: UInt64) throws(InspectionFailure) {
        let (start, byteCount) = (item.place.start, item.place.unitCount * XFSLogArea.unitByteCount)
        guard item.kind == .decides, byteCount == superblock.blockByteCount || byteCount == superblock.sectorByteCount else { return try replaceByOther(item.place) }
        if others.contains(start) { return }
        if var buffer = buffers[start] {
            guard buffer.content.count == byteCount else { return try replaceByOther(item.place) }
            if let stamp = stamp(of: Record(buffer.content)) {
                let stamped = try Record(buffer.content).big64(stamp.lsn)
                if XFSBufferOverlay.isUpToDate(stamped, lsn) { return }
            }
            buffers[start] = nil
            try item.apply(to: &buffer.content)
            buffer.lsn = lsn
            buffers[start] = buffer
        } else {
            let stored = try volume.read(at: start * XFSBufferOverlay.unit, byteCount: byteCount)
            if let stamp = stamp(of: stored) {
                let stamped = try stored.big64(stamp.lsn)
                if XFSBufferOverlay.isUpToDate(stamped, lsn) { return }
                // Written in part only when the machine stopped: a recovery would not notice, and nobody knows what else is wrong in it.
                do throws(InspectionFailure) { try XFSSuperblock.requireChecksum(stored, at: stamp.checksum) } catch { return try replaceByOther(item.place) }
            }
            var content = stored.bytes
            try item.apply(to: &content)
            self.byteCount += byteCount
            try require(self.byteCount <= XFSBufferOverlay.byteCountMax, "its log changes too much")
            buffers[start] = Buffer(content: content, lsn: lsn)
        }
        unstamped.append(start)
    }

    /// To be called before the first transaction of another LSN: transactions of one LSN may change the same buffer, which is stamped after the last of them.
    mutating func stampAll() throws(InspectionFailure) {
        for start in unstamped {
            guard let buffer = buffers[start], let stamp = stamp(of: Record(buffer.content)) else { continue }
            buffers[start]?.content.replaceSubrange(stamp.lsn..<stamp.lsn + 8, with: (0..<8).map { UInt8(truncatingIfNeeded: buffer.lsn >> (56 - 8 * $0)) })
        }
        unstamped.removeAll(keepingCapacity: true)
    }

    /// As it will be, and whether that differs from what is stored.
    func superblockRecord() throws(InspectionFailure) -> Record? {
        try require(!others.contains(0), "its superblock holds something else")
        return buffers[0].map { Record($0.content) }
    }

    private static func isUpToDate(_ stamped: UInt64, _ lsn: UInt64) -> Bool { stamped != 0 && stamped != ~0 && stamped >= lsn }

    private mutating func replaceByOther(_ place: XFSBufferItem.Place) throws(InspectionFailure) {
        let step = superblock.blockByteCount / XFSLogArea.unitByteCount
        for index in stride(from: 0, to: place.unitCount, by: step) { others.insert(place.start + UInt64(index)) }
        try require(others.count <= XFSBufferOverlay.otherCountMax, "its log changes too much")
    }

    /// Nil for what is none of those, or another file system's: then it is replayed whatever it is.
    private func stamp(of record: Record) -> Stamp? {
        guard superblock.hasChecksums, record.byteCount >= XFSLogArea.unitByteCount else { return nil }
        let stamp: Stamp
        switch String(decoding: record.bytes[0..<4], as: UTF8.self) {
        case "AB3B", "AB3C", "IAB3", "FIB3", "RMB3", "R3FC": stamp = Stamp(lsn: 24, uuid: 32, checksum: 52)
        case "BMA3": stamp = Stamp(lsn: 32, uuid: 40, checksum: 64)
        case "XAGF": stamp = Stamp(lsn: 208, uuid: 64, checksum: 216)
        case "XFSB": stamp = Stamp(lsn: 240, uuid: superblock.hasMetaUUID ? 248 : 32, checksum: 224)
        default: return nil
        }
        return record.bytes[stamp.uuid..<stamp.uuid + 16].elementsEqual(superblock.metaUUID) ? stamp : nil
    }
}
