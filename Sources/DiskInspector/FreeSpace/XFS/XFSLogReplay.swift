/// Finds what a recovery would write, without writing it (xlog_do_log_recovery).
struct XFSLogReplay {
    private let log: XFSLog
    private let pending: XFSLog.Pending

    init(_ log: XFSLog, _ pending: XFSLog.Pending) {
        self.log = log
        self.pending = pending
    }

    func run(_ overlay: inout XFSBufferOverlay) throws(InspectionFailure) {
        // A buffer whose blocks are freed is logged as cancelled, so that what was logged of it before is not written over what the blocks hold now. It is not
        // replayed as long as it is cancelled further on.
        var cancelled: [XFSBufferItem.Place: Int] = [:]
        try forEachTransaction { (transaction: XFSLogTransactions.Committed) throws(InspectionFailure) in
            for buffer in transaction.buffers where buffer.kind == .cancelled { cancelled[buffer.place, default: 0] += 1 }
            try require(cancelled.count <= XFSLogReplay.cancelledCountMax, "its log changes too much")
        }
        var lsn: UInt64?
        try forEachTransaction { (transaction: XFSLogTransactions.Committed) throws(InspectionFailure) in
            if transaction.lsn != lsn { try overlay.stampAll() }
            lsn = transaction.lsn
            for buffer in transaction.buffers where buffer.kind != .cancelled && cancelled[buffer.place] == nil { try overlay.replay(buffer, lsn: transaction.lsn) }
            for buffer in transaction.buffers where buffer.kind == .cancelled {
                guard let count = cancelled[buffer.place] else { continue }
                cancelled[buffer.place] = count > 1 ? count - 1 : nil
            }
        }
        try overlay.stampAll()
    }

    private static let cancelledCountMax = 1 << 20

    /// In the order of their commits. Those that have none are not handed out.
    private func forEachTransaction(_ body: (XFSLogTransactions.Committed) throws(InspectionFailure) -> Void) throws(InspectionFailure) {
        var cursor = XFSLogCursor(log, pending, from: pending.tail)
        var transactions = XFSLogTransactions()
        while true {
            switch try cursor.next() {
            case .record(let record):
                for transaction in try transactions.add(record) { try body(transaction) }
            case .torn: throw .notProvable("its log changed while it was read")
            case .end: return
            }
        }
    }
}
