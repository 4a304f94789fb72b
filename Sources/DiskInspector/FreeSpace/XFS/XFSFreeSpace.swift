import DiskLayout

/// Finds the free blocks of an XFS as they will be once its log was replayed, by the B-trees that list them by place.
///
/// Layout: “XFS Algorithms & Data Structures”, and fs/xfs/libxfs/xfs_format.h of the Linux kernel. Everything is big-endian, but for the checksums.
struct XFSFreeSpace {
    private let blocks: XFSBufferOverlay
    private let superblock: XFSSuperblock
    private var builder: FreeMapBuilder

    /// Of one group.
    private static let nodeCountMax: UInt64 = 1 << 18
    private static let extentCountMax = 1 << 22

    static func find(in volume: SourceWindow) throws(InspectionFailure) -> FreeSpace {
        let stored = try XFSSuperblock(volume)
        let log = try XFSLog(volume, stored)
        let pending = try log.pending()
        var blocks = XFSBufferOverlay(volume, stored, logEnd: pending?.end)
        if let pending { try XFSLogReplay(log, pending).run(&blocks) }
        let superblock = try blocks.superblockRecord().map { record throws(InspectionFailure) in try stored.replayed(record, volumeByteCount: volume.byteCount) } ?? stored
        var search = XFSFreeSpace(blocks: blocks, superblock: superblock, builder: FreeMapBuilder(volumeByteCount: volume.byteCount))
        var doubtful: [UInt64] = []
        for group in 0..<superblock.groupCount {
            do throws(InspectionFailure) {
                for extent in try search.freeExtents(of: group) { try search.add(extent, group) }
            } catch { doubtful.append(group) }
        }
        var warnings: [String] = []
        if let first = doubtful.first {
            // No kernel would replay the log then, and a repair that gives the log up finds other blocks free than its replay.
            try require(pending == nil, "its log is pending, and an allocation group is damaged")
            warnings.append("xfs: \(doubtful.count) of \(superblock.groupCount) allocation groups, the first of them \(first), are damaged and count as used")
        }
        return FreeSpace(map: search.builder.finish(), warnings: warnings)
    }

    private mutating func add(_ extent: Range<UInt64>, _ group: UInt64) throws(InspectionFailure) {
        let (base, unit) = (group * superblock.groupBlockCount, UInt64(superblock.blockByteCount))
        try require(builder.add((base + extent.lowerBound) * unit..<(base + extent.upperBound) * unit), "free blocks are out of order")
    }

    /// In blocks of the group, in order. Those on the free list, which the trees grow into, are not among them.
    private func freeExtents(of group: UInt64) throws(InspectionFailure) -> [Range<UInt64>] {
        let start = group * superblock.groupBlockCount * UInt64(superblock.blockByteCount)
        let header = try blocks.read(at: start + UInt64(superblock.sectorByteCount), byteCount: superblock.sectorByteCount, checksumAt: 216)
        try require(header.holds("XAGF", at: 0), "no header")
        if superblock.hasChecksums {
            try require(try header.slice(64, 16).elementsEqual(superblock.metaUUID), "another's header")
        }
        let blockCount = UInt64(try header.big32(12))
        let expectedBlockCount = min(superblock.groupBlockCount, superblock.blockCount - group * superblock.groupBlockCount)
        let (version, number) = (try header.big32(4), try header.big32(8))
        try require(version == 1 && UInt64(number) == group && blockCount == expectedBlockCount, "the header makes no sense")
        let (root, levelCount) = (UInt64(try header.big32(16)), Int(try header.big32(28)))
        try require((1...9).contains(levelCount), "the tree is too deep")

        var walk = Walk(group: group, blockCount: blockCount)
        try visit(root, level: levelCount - 1, &walk)
        // The tree says how many blocks it has, the header how many are free.
        let stated = try header.big32(52)
        try require(walk.freeCount == UInt64(stated), "the count is wrong")
        return walk.extents
    }

    private struct Walk {
        let group: UInt64
        let blockCount: UInt64
        var extents: [Range<UInt64>] = []
        var freeCount: UInt64 = 0
        var end: UInt64 = 0
        var visitedCount: UInt64 = 0
    }

    private func visit(_ block: UInt64, level: Int, _ walk: inout Walk) throws(InspectionFailure) {
        walk.visitedCount += 1
        try require(block > 0 && block < walk.blockCount, "the tree leaves its group")
        try require(walk.visitedCount <= XFSFreeSpace.nodeCountMax && walk.extents.count <= XFSFreeSpace.extentCountMax, "the tree is too large")
        let offset = (walk.group * superblock.groupBlockCount + block) * UInt64(superblock.blockByteCount)
        let node = try blocks.read(at: offset, byteCount: superblock.blockByteCount, checksumAt: 52)
        let headerByteCount = superblock.hasChecksums ? 56 : 16
        let statedLevel = try node.big16(4)
        try require(node.holds(superblock.hasChecksums ? "AB3B" : "ABTB", at: 0) && Int(statedLevel) == level, "no node of the tree")
        if superblock.hasChecksums {
            try require(try node.slice(32, 16).elementsEqual(superblock.metaUUID), "another's node")
            let (place, owner) = (try node.big64(16), try node.big32(48))
            try require(place == offset / 512 && UInt64(owner) == walk.group, "a misplaced node")
        }
        let count = Int(try node.big16(6))
        if level == 0 {
            for index in 0..<count {
                let (first, length) = (UInt64(try node.big32(headerByteCount + 8 * index)), UInt64(try node.big32(headerByteCount + 8 * index + 4)))
                // Extents that touch would have been joined, so that they are more than in order.
                try require(length > 0 && first >= walk.end && first > 0 && first + length <= walk.blockCount, "extents are out of order")
                walk.end = first + length
                walk.freeCount += length
                walk.extents.append(first..<walk.end)
            }
        } else {
            let countMax = (superblock.blockByteCount - headerByteCount) / 12
            try require(count > 0 && count <= countMax, "a node makes no sense")
            for index in 0..<count { try visit(UInt64(try node.big32(headerByteCount + 8 * countMax + 4 * index)), level: level - 1, &walk) }
        }
    }
}
