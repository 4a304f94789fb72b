/// The log, of which only one thing is asked: whether it ends with the record that an unmount writes, so that nothing is left to be replayed.
struct XFSLog {
    private static let magic: UInt32 = 0xFEED_BABE
    private static let unitByteCount: UInt64 = 512
    private static let unmountFlag: UInt8 = 0x20

    private let window: SourceWindow
    private let unitCount: UInt64

    init(_ volume: SourceWindow, _ superblock: XFSSuperblock) {
        window = volume.part(superblock.log)
        unitCount = window.byteCount / XFSLog.unitByteCount
    }

    /// As xlog_find_tail does it: the head is where the cycle number falls, and the last record before it must be that of an unmount.
    func requireClean() throws(InspectionFailure) {
        let head = try findHead()
        guard let start = try lastRecord(before: head) else { throw .notProvable("its log is pending or damaged") }
        let header = try unit(start)
        let (version, byteCount, operationCount) = (try header.big32(8), try header.big32(12), try header.big32(40))
        // Version 2 has a header for each 32 KiB that a record may have.
        let size = UInt64(try header.big32(320))
        let headerCount = version & 2 != 0 && size > 32768 ? (size + 32767) / 32768 : 1
        let end = start + headerCount + (UInt64(byteCount) + XFSLog.unitByteCount - 1) / XFSLog.unitByteCount
        let data = try unit((start + headerCount) % unitCount)
        let flags = try data.byte(9)
        try require(end % unitCount == head % unitCount && operationCount == 1 && flags & XFSLog.unmountFlag != 0, "it is mounted, or was not unmounted: its log is pending")
    }

    private func unit(_ number: UInt64) throws(InspectionFailure) -> Record {
        try window.read(at: number * XFSLog.unitByteCount, byteCount: Int(XFSLog.unitByteCount))
    }

    /// Each unit begins with the number of its round, a header with the magic and then the number.
    private func cycle(_ number: UInt64) throws(InspectionFailure) -> UInt32 {
        let record = try unit(number)
        let first = try record.big32(0)
        return first == XFSLog.magic ? try record.big32(4) : first
    }

    /// The first unit that is of an earlier round than the log's beginning; 0 if all are of one.
    private func findHead() throws(InspectionFailure) -> UInt64 {
        let (first, last) = (try cycle(0), try cycle(unitCount - 1))
        try require(first > 0 && (last == first || last == first - 1), "its log is damaged")
        if first == last { return 0 }
        var (low, high) = (UInt64(0), unitCount - 1)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            let found = try cycle(middle)
            try require(found == first || found == last, "its log is damaged")
            if found == first { low = middle } else { high = middle }
        }
        return high
    }

    /// The header that is nearest before `head`. Nothing larger than 512 units ends with an unmount.
    private func lastRecord(before head: UInt64) throws(InspectionFailure) -> UInt64? {
        for distance in 1...min(512, unitCount - 1) {
            let number = (head + unitCount - distance) % unitCount
            if try unit(number).big32(0) == XFSLog.magic { return number }
        }
        return nil
    }
}
