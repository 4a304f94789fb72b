import DiskLayout

/// The superblock of the first group.
struct XFSSuperblock {
    let blockByteCount: Int
    let blockCount: UInt64
    let groupBlockCount: UInt64
    let groupCount: UInt64
    let sectorByteCount: Int
    /// In metadata; it stays when the file system gets another one.
    let metaUUID: [UInt8]
    let hasMetaUUID: Bool
    /// The one that users see, and the log has.
    let uuid: [UInt8]
    let hasChecksums: Bool
    /// Of what may be in its log while that is pending.
    let hasKnownLogFeatures: Bool
    /// Of the log, in bytes of the volume.
    let log: Range<UInt64>

    private enum Feature {
        /// Trees of free inodes, of owners and of references, and counts of inode blocks.
        static let readOnlyKnown: UInt32 = 0xF
        static let metaUUID: UInt32 = 0x4
        /// File types, sparse inodes, other UUID, large times, large extent counts, exchange of ranges, parents. 0x10 says that it needs a repair.
        static let incompatibleKnown: UInt32 = 0x1 | 0x2 | metaUUID | 0x8 | 0x20 | 0x40 | 0x80
        /// Attributes as intents.
        static let logKnown: UInt32 = 0x1
    }

    /// As it is stored.
    init(_ volume: SourceWindow) throws(InspectionFailure) {
        let first = try volume.read(at: 0, byteCount: 512)
        try require(first.holds("XFSB", at: 0), "there is no superblock")
        let byteCount = Int(try first.big16(102))
        try require(XFSSuperblock.sectorByteCounts.contains(byteCount), "its superblock makes no sense")
        try self.init(try volume.read(at: 0, byteCount: byteCount), volumeByteCount: volume.byteCount)
    }

    /// The same file system, whose log has changed its superblock: it may have grown.
    func replayed(_ record: Record, volumeByteCount: UInt64) throws(InspectionFailure) -> XFSSuperblock {
        let after = try XFSSuperblock(record, volumeByteCount: volumeByteCount, isReplayed: true)
        let isSame = after.blockByteCount == blockByteCount && after.sectorByteCount == sectorByteCount && after.groupBlockCount == groupBlockCount
        try require(isSame && after.metaUUID == metaUUID && after.hasChecksums == hasChecksums && after.log == log, "its log makes another file system of it")
        return after
    }

    private static let sectorByteCounts = [512, 1024, 2048, 4096, 8192, 16384, 32768]

    private init(_ record: Record, volumeByteCount: UInt64, isReplayed: Bool = false) throws(InspectionFailure) {
        try require(record.holds("XFSB", at: 0), "there is no superblock")
        let version = try record.big16(100) & 0xF
        try require(version == 4 || version == 5, "it is of an unknown version")
        hasChecksums = version == 5
        sectorByteCount = Int(try record.big16(102))
        blockByteCount = Int(try record.big32(4))
        try require(sectorByteCount == record.byteCount, "its superblock makes no sense")
        try require(blockByteCount >= max(512, sectorByteCount) && blockByteCount <= 65536 && blockByteCount & (blockByteCount - 1) == 0, "its superblock makes no sense")
        uuid = Array(try record.slice(32, 16))
        if hasChecksums {
            // What was replayed gets a new one only when it is written.
            if !isReplayed { try XFSSuperblock.requireChecksum(record, at: 224) }
            let (readOnly, incompatible) = (try record.big32(212), try record.big32(216))
            try require(readOnly & ~Feature.readOnlyKnown == 0 && incompatible & ~Feature.incompatibleKnown == 0, "it has features that are not known, or needs a repair")
            hasMetaUUID = incompatible & Feature.metaUUID != 0
            hasKnownLogFeatures = try record.big32(220) & ~Feature.logKnown == 0
        } else {
            (hasMetaUUID, hasKnownLogFeatures) = (false, true)
        }
        metaUUID = hasMetaUUID ? Array(try record.slice(248, 16)) : uuid
        blockCount = try record.big64(8)
        groupBlockCount = UInt64(try record.big32(84))
        groupCount = UInt64(try record.big32(88))
        try require(blockCount > 0 && blockCount <= volumeByteCount / UInt64(blockByteCount), "it is larger than its volume")
        try require(
            groupBlockCount > 0 && groupCount > 0 && groupCount == (blockCount + groupBlockCount - 1) / groupBlockCount && groupCount <= 1 << 20,
            "its groups make no sense")
        try require(try record.byte(126) == 0, "it is being made")
        try require(try record.big64(16) == 0, "it has a realtime part")

        let logStart = try record.big64(48)
        try require(logStart != 0, "its log lies on another disk")
        let groupShift = UInt64(try record.byte(124))
        try require(groupShift < 32, "its superblock makes no sense")
        let (group, block) = (logStart >> groupShift, logStart & ((1 << groupShift) - 1))
        let logBlockCount = UInt64(try record.big32(96))
        try require(group < groupCount && block < groupBlockCount && block + logBlockCount <= groupBlockCount, "its log lies in an impossible place")
        let start = (group * groupBlockCount + block) * UInt64(blockByteCount)
        log = start..<start + logBlockCount * UInt64(blockByteCount)
        try require(log.upperBound <= volumeByteCount && logBlockCount > 0, "its log lies in an impossible place")
    }

    /// crc32c with the field itself zero; stored little-endian.
    static func requireChecksum(_ record: Record, at offset: Int) throws(InspectionFailure) {
        let stated = try record.little32(offset)
        try require(~Checksums.crc32c(~0, try record.blanking(offset, 4).bytes) == stated, "a checksum of it is wrong")
    }
}
