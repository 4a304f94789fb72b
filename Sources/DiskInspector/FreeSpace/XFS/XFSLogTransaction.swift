/// A transaction of the log while it is being read: a header of 16 bytes that begins with a magic, and items of one region or several.
///
/// The first region of each item begins with its type (2 bytes) and the count of its regions (2 bytes), little-endian.
struct XFSLogTransaction {
    private struct Item {
        var type: UInt16
        var regionCount: Int
        var seenCount = 1
        /// The first region; it may be complete only when the next one begins.
        var format: [UInt8]
        var buffer: XFSBufferItem?
        var isRead = false
    }

    private static let magic: UInt32 = 0x5452_414E
    private static let headerByteCount = 16
    private static let regionCountMax = 257

    /// Of those that are known, and change nothing that decides what is free.
    ///
    /// Intents that are not done (to free extents, to map them, to count their owners, to set attributes, to exchange contents) are finished at the end of a
    /// recovery, and inodes without a name are freed then. What is freed so is in use here. What it takes it takes from what is free, and writes it before
    /// anybody reads it, so that nothing needs what a free block held before; the extents that are mapped were taken when that was logged. Created and changed
    /// inodes and quotas are written to blocks that are theirs.
    ///
    /// Of types that are unknown nobody can say what they do.
    private static let typesThatDoNotDecide: Set<UInt16> = [
        0x1236, 0x1237,  // XFS_LI_EFI, EFD: free extents
        0x123B,  // INODE
        0x123D, 0x123E,  // DQUOT, QUOTAOFF
        0x123F,  // ICREATE
        0x1240, 0x1241,  // RUI, RUD: owners of extents
        0x1242, 0x1243,  // CUI, CUD: counts of owners
        0x1244, 0x1245,  // BUI, BUD: extents of files
        0x1246, 0x1247,  // ATTRI, ATTRD: attributes
        0x1248, 0x1249,  // XMI, XMD: exchange of contents
    ]

    private let lsn: UInt64
    private var header: [UInt8] = []
    private var item: Item?
    private var buffers: [XFSBufferItem] = []
    private(set) var heldByteCount = 0

    init(lsn: UInt64) { self.lsn = lsn }

    /// A region, or the beginning of one.
    mutating func begin(_ region: ArraySlice<UInt8>) throws(InspectionFailure) {
        if region.isEmpty { return }
        heldByteCount += 64
        if header.count < XFSLogTransaction.headerByteCount {
            let magic = try Record(Array(region)).little32(0)
            try require(header.isEmpty && magic == XFSLogTransaction.magic && region.count <= XFSLogTransaction.headerByteCount, "a transaction in its log has no header")
            header = Array(region)
            return
        }
        if let item, item.seenCount == item.regionCount { try closeItem() }
        if item == nil {
            let start = Record(Array(region))
            let (type, count) = (try start.little16(0), Int(try start.little16(2)))
            try require((1...XFSLogTransaction.regionCountMax).contains(count), "an item in its log makes no sense")
            item = Item(type: type, regionCount: count, format: start.bytes)
            heldByteCount += region.count
        } else {
            try readFormat()
            item?.seenCount += 1
            if item?.buffer?.kind == .decides {
                item?.buffer?.regions.append(Array(region))
                heldByteCount += region.count
            }
        }
    }

    /// More of the region that was begun last.
    mutating func extend(_ data: ArraySlice<UInt8>) throws(InspectionFailure) {
        if item == nil {
            header += data
            try require(header.count == XFSLogTransaction.headerByteCount, "a transaction in its log has no header")
        } else if item?.seenCount == 1 {
            item?.format += data
            heldByteCount += data.count
        } else if let last = item?.buffer?.regions.indices.last {
            item?.buffer?.regions[last] += data
            heldByteCount += data.count
        }
    }

    consuming func committed() throws(InspectionFailure) -> XFSLogTransactions.Committed {
        if let item {
            try require(item.seenCount == item.regionCount, "a transaction in its log is not complete")
            try closeItem()
        }
        return XFSLogTransactions.Committed(lsn: lsn, buffers: buffers)
    }

    private mutating func readFormat() throws(InspectionFailure) {
        guard let item, !item.isRead else { return }
        self.item?.isRead = true
        if item.type == XFSBufferItem.type {
            self.item?.buffer = try XFSBufferItem(Record(item.format))
        } else {
            try require(XFSLogTransaction.typesThatDoNotDecide.contains(item.type), "its log has an item of a kind that is not known")
        }
        heldByteCount -= item.format.count
        self.item?.format = []
    }

    private mutating func closeItem() throws(InspectionFailure) {
        try readFormat()
        if let buffer = item?.buffer { buffers.append(buffer) }
        item = nil
    }
}
