/// Puts the operations of records together to transactions, and hands those out that were committed.
///
/// An operation is struct xlog_op_header of xfs_log_format.h, big-endian, and behind it its data:
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 4 | number of the transaction |
/// | 4 | 4 | byte count of the data |
/// | 8 | 1 | who wrote it: 0x69 for transactions, 0xaa for the log itself |
/// | 9 | 1 | flags |
struct XFSLogTransactions {
    struct Committed {
        /// Of the record in which it begins.
        let lsn: UInt64
        let buffers: [XFSBufferItem]
    }

    private enum Flag {
        static let start: UInt8 = 0x01
        static let commit: UInt8 = 0x02
        /// The data goes on in another operation.
        static let continues: UInt8 = 0x04
        /// And this is such a one.
        static let continued: UInt8 = 0x08
        static let end: UInt8 = 0x10
        static let unmount: UInt8 = 0x20
    }

    private static let headerByteCount = 12
    /// The kernel has a few at a time, of 64 MiB together.
    private static let openCountMax = 1024
    private static let heldByteCountMax = 128 << 20

    private var open: [UInt32: XFSLogTransaction] = [:]
    private var heldByteCount = 0

    /// Those that this record completes, in order.
    mutating func add(_ record: XFSLogRecord) throws(InspectionFailure) -> [Committed] {
        var committed: [Committed] = []
        var at = 0
        for _ in 0..<record.header.operationCount where at < record.data.byteCount {
            let (number, byteCount) = (try record.data.big32(at), Int(try record.data.big32(at + 4)))
            let (writer, flags) = (try record.data.byte(at + 8), try record.data.byte(at + 9))
            try require(writer == 0x69 || writer == 0xAA, "an operation in its log is of nobody")
            let data = try record.data.slice(at + XFSLogTransactions.headerByteCount, byteCount)
            if let completed = try add(data, number, flags, record.header.lsn) { committed.append(completed) }
            at += XFSLogTransactions.headerByteCount + byteCount
        }
        return committed
    }

    private mutating func add(_ data: ArraySlice<UInt8>, _ number: UInt32, _ flags: UInt8, _ lsn: UInt64) throws(InspectionFailure) -> Committed? {
        guard let heldBefore = open[number]?.heldByteCount else {
            // Others began before the tail, or are an unmount.
            guard flags & Flag.start != 0 else { return nil }
            try require(data.isEmpty && open.count < XFSLogTransactions.openCountMax, "its log has transactions that make no sense")
            open[number] = XFSLogTransaction(lsn: lsn)
            return nil
        }
        let isContinued = flags & Flag.continued != 0
        switch flags & ~(isContinued ? Flag.end | Flag.continues : Flag.end) {
        case 0, Flag.continues: try open[number]?.begin(data)
        case Flag.continued: try open[number]?.extend(data)
        case Flag.commit:
            heldByteCount -= heldBefore
            return try open.removeValue(forKey: number)?.committed()
        default: throw .notProvable("an operation in its log makes no sense")
        }
        heldByteCount += (open[number]?.heldByteCount ?? 0) - heldBefore
        try require(heldByteCount <= XFSLogTransactions.heldByteCountMax, "its log has transactions that are too large")
        return nil
    }
}
