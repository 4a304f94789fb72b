/// Goes through the records of a log, from one to the head.
struct XFSLogCursor {
    enum Step {
        case record(XFSLogRecord)
        /// There is none, or one that was not written as a whole.
        case torn(at: UInt64)
        case end
    }

    private let log: XFSLog
    private let pending: XFSLog.Pending
    private var place: UInt64
    private var remaining: UInt64
    private var headerUnitCount: UInt64?

    init(_ log: XFSLog, _ pending: XFSLog.Pending, from start: UInt64) {
        self.log = log
        self.pending = pending
        place = start
        remaining = log.area.distance(from: start, to: pending.head)
    }

    mutating func next() throws(InspectionFailure) -> Step {
        if remaining == 0 { return .end }
        guard let record = try XFSLogRecord(in: log.area, at: place, unitCountMax: remaining, cycle: pending.cycle(at: place), log.superblock) else { return .torn(at: place) }
        let header = record.header
        // A recovery takes for all what it finds in the first one.
        try require(header.headerUnitCount == headerUnitCount ?? header.headerUnitCount, "records of its log have headers of different sizes")
        headerUnitCount = header.headerUnitCount
        place = log.area.place(place, plus: header.unitCount)
        remaining -= header.unitCount
        return .record(record)
    }
}
