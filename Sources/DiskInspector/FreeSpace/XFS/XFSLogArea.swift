/// The place of the log: a circle of units of 512 bytes.
///
/// Each unit begins with the number of the round (“cycle”) in which it was written; the first one of a record with a magic, and then that number.
struct XFSLogArea {
    static let magic: UInt32 = 0xFEED_BABE
    static let unitByteCount = 512
    /// Headers and data of one record.
    static let recordUnitCountMax: UInt64 = 512
    /// As many records may have been on their way when a machine stopped.
    static let recordsInFlightMax = 8

    private let window: SourceWindow
    let unitCount: UInt64

    private static let byteCountMax: UInt64 = 1 << 31

    init(_ volume: SourceWindow, _ superblock: XFSSuperblock) throws(InspectionFailure) {
        window = volume.part(superblock.log)
        unitCount = window.byteCount / UInt64(XFSLogArea.unitByteCount)
        try require(unitCount > 1 && window.byteCount <= XFSLogArea.byteCountMax, "its log has an impossible size")
    }

    /// Across the end if need be.
    ///
    /// - Precondition: `first` lies in the log.
    func units(_ first: UInt64, _ count: UInt64) throws(InspectionFailure) -> Record {
        try require(count <= unitCount, "a record is larger than its log")
        let unit = UInt64(XFSLogArea.unitByteCount)
        let before = min(count, unitCount - first)
        var record = try window.read(at: first * unit, byteCount: Int(before * unit))
        if before < count { record.bytes += try window.read(at: 0, byteCount: Int((count - before) * unit)).bytes }
        return record
    }

    func cycle(_ number: UInt64) throws(InspectionFailure) -> UInt32 { try XFSLogArea.cycle(in: try units(number, 1), at: 0) }

    /// Units from one place on to another.
    func distance(from start: UInt64, to end: UInt64) -> UInt64 { (end + unitCount - start) % unitCount }

    func place(_ start: UInt64, plus count: UInt64) -> UInt64 { (start + count) % unitCount }

    /// The first of `range` that is of that round.
    func first(ofCycle cycle: UInt32, in range: Range<UInt64>) throws(InspectionFailure) -> UInt64? {
        let units = try units(range.lowerBound % unitCount, UInt64(range.count))
        for index in 0..<range.count where try XFSLogArea.cycle(in: units, at: index) == cycle { return range.lowerBound + UInt64(index) }
        return nil
    }

    /// Of the last records that begin in the `count` units before `end`, at most `recordCountMax`; the nearest first.
    func starts(before end: UInt64, within count: UInt64, recordCountMax: Int = 1) throws(InspectionFailure) -> [UInt64] {
        let units = try units(place(end, plus: unitCount - count), count)
        var starts: [UInt64] = []
        for index in stride(from: Int(count) - 1, through: 0, by: -1) where starts.count < recordCountMax {
            if try units.big32(index * XFSLogArea.unitByteCount) == XFSLogArea.magic { starts.append(place(end, plus: unitCount - count + UInt64(index))) }
        }
        return starts
    }

    /// Of the first record that begins in the `count` units from `start` on.
    func start(from start: UInt64, within count: UInt64) throws(InspectionFailure) -> UInt64? {
        let count = min(count, XFSLogArea.recordUnitCountMax)
        let units = try units(start, count)
        for index in 0..<Int(count) where try units.big32(index * XFSLogArea.unitByteCount) == XFSLogArea.magic { return place(start, plus: UInt64(index)) }
        return nil
    }

    private static func cycle(in units: Record, at index: Int) throws(InspectionFailure) -> UInt32 {
        let first = try units.big32(index * unitByteCount)
        return first == magic ? try units.big32(index * unitByteCount + 4) : first
    }
}
