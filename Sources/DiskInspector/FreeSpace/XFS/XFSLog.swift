/// The log: finds what of it a recovery would replay, as xlog_find_tail of the Linux kernel does it.
///
/// Where that would report damage, or would do something that is not known to end well, this throws.
struct XFSLog {
    /// Records from the tail to the head that were all written as a whole.
    struct Pending {
        var tail: UInt64
        /// The first unit that the next record would get.
        var head: UInt64
        /// Of the head.
        var cycle: UInt32

        /// What is behind the head is of the round before.
        func cycle(at place: UInt64) -> UInt32 { place < head ? cycle : cycle &- 1 }

        /// Nothing that the log knows of is newer.
        var end: UInt64 { UInt64(cycle) << 32 | head }
    }

    let area: XFSLogArea
    let superblock: XFSSuperblock

    private static let unmountFlag: UInt8 = 0x20
    /// Bytes that all records on their way have.
    private static let unitsInFlightMax = UInt64(XFSLogArea.recordsInFlightMax) * XFSLogArea.recordUnitCountMax

    init(_ volume: SourceWindow, _ superblock: XFSSuperblock) throws(InspectionFailure) {
        area = try XFSLogArea(volume, superblock)
        self.superblock = superblock
    }

    /// Nil if it ends with the record that an unmount writes, so that nothing is left to be replayed.
    func pending() throws(InspectionFailure) -> Pending? {
        var head = try findHead()
        var last = try lastRecord(before: head)
        if try isUnmount(last, before: head) { return nil }
        try require(superblock.hasChecksums, "it is mounted, or was not unmounted: its log is pending, and has no checksums")
        try require(superblock.hasKnownLogFeatures, "its log is pending, and has features that are not known")

        var pending = try range(to: head, last)
        if let torn = try firstTorn(from: try oldestInFlight(pending), pending) {
            // Of records that were being written only those count that come before the first one that was not finished (xlog_verify_head).
            head = torn
            last = try lastRecord(before: head)
            // A recovery would do nothing then. But nobody knows whether that was the first record of a mount, or whether records look torn for another reason.
            try require(try !isUnmount(last, before: head), "no record of its log since it was mounted is whole")
            pending = try range(to: head, last)
        }
        try skipOverwrittenTail(&pending, last.header)
        return pending
    }

    // MARK: Head

    private typealias Last = (place: UInt64, header: XFSLogRecordHeader)

    /// The first unit of the round before the one that the log begins with, but for what was written out of order; 0 if all are of one (xlog_find_head).
    private func findHead() throws(InspectionFailure) -> UInt64 {
        let (unitCount, scanCount) = (area.unitCount, min(area.unitCount, XFSLog.unitsInFlightMax))
        let (first, last) = (try area.cycle(0), try area.cycle(unitCount - 1))
        try require(first > 0 && (last == first || last == first - 1), "its log is damaged")
        // In the first case all was written in this round, unless there is a hole near the end.
        let before = last == first ? last &- 1 : last
        var head = last == first ? unitCount : try firstOfLastRound(last)
        if head >= scanCount {
            head = try area.first(ofCycle: before, in: head - scanCount..<head) ?? head
        } else if let hole = try area.first(ofCycle: before &- 1, in: unitCount - (scanCount - head)..<unitCount) {
            head = hole
        } else {
            head = try area.first(ofCycle: before, in: 0..<head) ?? head
        }
        head %= unitCount
        // It may be in the middle of a record that was not written as a whole.
        let record = try lastRecord(before: head)
        return area.distance(from: record.place, to: head) == record.header.unitCount ? head : record.place
    }

    /// About, if units of both rounds are mixed.
    private func firstOfLastRound(_ cycle: UInt32) throws(InspectionFailure) -> UInt64 {
        var (low, high) = (UInt64(0), area.unitCount - 1)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if try area.cycle(middle) == cycle { high = middle } else { low = middle }
        }
        return high
    }

    private func lastRecord(before head: UInt64) throws(InspectionFailure) -> Last {
        guard let place = try area.starts(before: head, within: min(XFSLogArea.recordUnitCountMax, area.unitCount - 1)).first else {
            throw .notProvable("its log is damaged: there is no record before its head")
        }
        let header = try XFSLogRecordHeader(try area.units(place, 1))
        try require(header.uuid.elementsEqual(superblock.uuid), "its log is another's")
        return (place, header)
    }

    private func isUnmount(_ last: Last, before head: UInt64) throws(InspectionFailure) -> Bool {
        let flags = try area.units(area.place(last.place, plus: last.header.headerUnitCount), 1).byte(9)
        return area.place(last.place, plus: last.header.unitCount) == head && last.header.operationCount == 1 && flags & XFSLog.unmountFlag != 0
    }

    // MARK: Tail

    /// From the tail that the last record names.
    private func range(to head: UInt64, _ last: Last) throws(InspectionFailure) -> Pending {
        let tail = last.header.tail & 0xFFFF_FFFF
        let cycle = last.place >= head ? last.header.cycle &+ 1 : last.header.cycle
        let pending = Pending(tail: tail, head: head, cycle: cycle)
        try require(tail < area.unitCount && tail != head && pending.cycle(at: tail) == UInt32(last.header.tail >> 32), "its log is damaged: its tail is in an impossible place")
        return pending
    }

    private func oldestInFlight(_ pending: Pending) throws(InspectionFailure) -> UInt64 {
        let count = min(XFSLog.unitsInFlightMax, area.distance(from: pending.tail, to: pending.head))
        let starts = try area.starts(before: pending.head, within: count, recordCountMax: XFSLogArea.recordsInFlightMax)
        guard let oldest = starts.last else { throw .notProvable("its log is damaged: there is no record before its head") }
        return oldest
    }

    private func firstTorn(from start: UInt64, _ pending: Pending) throws(InspectionFailure) -> UInt64? {
        var cursor = XFSLogCursor(self, pending, from: start)
        while true {
            switch try cursor.next() {
            case .record: continue
            case .torn(let place): return place
            case .end: return nil
            }
        }
    }

    /// A record at the tail may have been overwritten, without that the one that says so was finished: nothing of it is needed then (xlog_verify_tail).
    private func skipOverwrittenTail(_ pending: inout Pending, _ last: XFSLogRecordHeader) throws(InspectionFailure) {
        func next(from place: UInt64) throws(InspectionFailure) -> UInt64 {
            guard let start = try area.start(from: place, within: area.distance(from: place, to: pending.head)) else { throw .notProvable("its log is damaged") }
            return start
        }
        pending.tail = try next(from: pending.tail)
        while let torn = try firstTorn(from: pending.tail, pending) {
            let reach = UInt64(last.size) / UInt64(XFSLogArea.unitByteCount) * UInt64(XFSLogArea.recordsInFlightMax)
            try require(area.distance(from: pending.head, to: torn) <= reach, "a record of its log is damaged")
            pending.tail = try next(from: area.place(try next(from: torn), plus: 1))
        }
    }
}
