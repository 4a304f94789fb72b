import DiskLayout

/// The first unit of a record of the log.
///
/// struct xlog_rec_header of xfs_log_format.h, big-endian but for the checksum:
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 4 | magic |
/// | 4 | 4 | cycle |
/// | 8 | 4 | version: 1 or 2 |
/// | 12 | 4 | byte count of the data behind the headers |
/// | 16 | 8 | LSN of this record: cycle and unit of this header |
/// | 24 | 8 | LSN of the tail: the oldest record whose changes may not stand where they belong yet |
/// | 32 | 4 | crc32c of the first 328 bytes (of 324 if a 32-bit x86 wrote it) with this field zero, of the first 260 of each further header that the data needs, and of the data as stored |
/// | 40 | 4 | count of operations |
/// | 44 | 256 | words that the data's first 64 units really begin with |
/// | 300 | 4 | format of what is logged: 1 is little-endian |
/// | 304 | 16 | UUID of the file system |
/// | 320 | 4 | byte count that a record has at most |
struct XFSLogRecordHeader {
    let cycle: UInt32
    let version: UInt32
    let byteCount: Int
    let lsn: UInt64
    let tail: UInt64
    let checksum: UInt32
    let operationCount: UInt32
    let format: UInt32
    let uuid: ArraySlice<UInt8>
    let size: UInt32

    fileprivate static let checkedByteCounts = [328, 324]
    fileprivate static let checksumOffset = 32
    fileprivate static let wordsOffset = 44
    fileprivate static let dataByteCountOfHeader = 32768

    init(_ unit: Record) throws(InspectionFailure) {
        try require(try unit.big32(0) == XFSLogArea.magic, "its log has no record where one should be")
        cycle = try unit.big32(4)
        version = try unit.big32(8)
        byteCount = Int(try unit.big32(12))
        lsn = try unit.big64(16)
        tail = try unit.big64(24)
        checksum = try unit.little32(XFSLogRecordHeader.checksumOffset)
        operationCount = try unit.big32(40)
        format = try unit.big32(300)
        uuid = try unit.slice(304, 16)
        size = try unit.big32(320)
    }

    /// Version 2 has a header for each 32 KiB that a record may have.
    var headerUnitCount: UInt64 { version & 2 != 0 && size > 32768 ? (UInt64(size) + 32767) / 32768 : 1 }
    var dataUnitCount: UInt64 { (UInt64(byteCount) + 511) / 512 }
    var unitCount: UInt64 { headerUnitCount + dataUnitCount }
}

/// A record whose checksum was right, with its data as it was before the units got their cycle numbers.
struct XFSLogRecord {
    let header: XFSLogRecordHeader
    let data: Record

    private static let sizeMax: UInt32 = 256 << 10
    private static let littleEndian: UInt32 = 1
    /// Of a further header: a cycle, and words of the next 64 units (struct xlog_rec_ext_header).
    private static let extensionByteCount = 260
    private static let wordsOfHeader = 64

    /// - Parameter unitCountMax: how many units there are until the head.
    /// - Returns: nil where there is none, or one that was not written as a whole.
    /// - Throws: where there is one that a recovery would stop at.
    init?(in area: XFSLogArea, at place: UInt64, unitCountMax: UInt64, cycle: UInt32, _ superblock: XFSSuperblock) throws(InspectionFailure) {
        let first = try area.units(place, 1)
        guard try first.big32(0) == XFSLogArea.magic else { return nil }
        let header = try XFSLogRecordHeader(first)
        // A kind to come would look torn, and all of its records would not count.
        try require(header.version == 2 && header.size <= XFSLogRecord.sizeMax, "a record of its log is of a kind that is not known")
        guard header.byteCount > 0, header.byteCount % 4 == 0, header.byteCount <= Int(header.size), header.unitCount <= unitCountMax else { return nil }
        let stored = try area.units(place, header.unitCount)
        let dataStart = Int(header.headerUnitCount) * XFSLogArea.unitByteCount
        guard try XFSLogRecord.hasSoundChecksum(stored, header, dataStart) else {
            try require(header.checksum != 0, "a record of its log has no checksum")
            return nil
        }
        try require(header.format == XFSLogRecord.littleEndian && header.uuid.elementsEqual(superblock.uuid), "its log is another's")
        try require(header.cycle == cycle && header.lsn == UInt64(cycle) << 32 | place, "a record of its log is misplaced")
        var data = Array(try stored.slice(dataStart, header.byteCount))
        for unit in 0..<Int(header.dataUnitCount) {
            // The first header has them behind its fields, the others behind their cycle.
            let (number, index) = (unit / XFSLogRecord.wordsOfHeader, unit % XFSLogRecord.wordsOfHeader)
            let word = number == 0 ? XFSLogRecordHeader.wordsOffset + 4 * index : number * XFSLogArea.unitByteCount + 4 + 4 * index
            for byte in 0..<4 { data[unit * XFSLogArea.unitByteCount + byte] = try stored.byte(word + byte) }
        }
        self.header = header
        self.data = Record(data)
    }

    private static func hasSoundChecksum(_ stored: Record, _ header: XFSLogRecordHeader, _ dataStart: Int) throws(InspectionFailure) -> Bool {
        let headerCount = (header.byteCount + XFSLogRecordHeader.dataByteCountOfHeader - 1) / XFSLogRecordHeader.dataByteCountOfHeader
        for checkedByteCount in XFSLogRecordHeader.checkedByteCounts {
            let first = try Record(Array(try stored.slice(0, checkedByteCount))).blanking(XFSLogRecordHeader.checksumOffset, 4)
            var checksum = Checksums.crc32c(~0, first.bytes)
            for number in 1..<max(1, headerCount) { checksum = Checksums.crc32c(checksum, try stored.slice(number * XFSLogArea.unitByteCount, extensionByteCount)) }
            if ~Checksums.crc32c(checksum, try stored.slice(dataStart, header.byteCount)) == header.checksum { return true }
        }
        return false
    }
}
