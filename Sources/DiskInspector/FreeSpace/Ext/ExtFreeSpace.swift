import DiskLayout

/// Finds the free blocks of ext2, ext3 and ext4 as they will be once the journal was replayed.
struct ExtFreeSpace {
    private enum GroupFlag {
        static let blocksNotInitialised: UInt16 = 2
    }

    private enum State {
        static let valid: UInt16 = 1
        static let errors: UInt16 = 2
    }

    private let volume: SourceWindow
    private let superblock: ExtSuperblock
    private let blocks: ExtBlocks
    private var builder: FreeMapBuilder
    private var doubtfulGroups: [UInt64] = []
    /// Blocks that hold the file system's own tables, whatever bitmaps say; in order.
    private var reserved: [Range<UInt64>] = []
    private var nextReserved = 0

    static func find(in volume: SourceWindow) throws(InspectionFailure) -> FreeSpace {
        var search = try ExtFreeSpace(volume)
        try search.searchGroups()
        var warnings: [String] = []
        if let first = search.doubtfulGroups.first {
            warnings.append("\(search.doubtfulGroups.count) of \(search.superblock.groupCount) block groups, the first of them \(first), are damaged and count as used")
        }
        return FreeSpace(map: search.builder.finish(), warnings: warnings)
    }

    private init(_ volume: SourceWindow) throws(InspectionFailure) {
        self.volume = volume
        builder = FreeMapBuilder(volumeByteCount: volume.byteCount)
        let stored = try ExtSuperblock(try volume.read(at: ExtSuperblock.offset, byteCount: ExtSuperblock.byteCount))
        try ExtFreeSpace.requireSound(stored)
        var blocks = try ExtBlocks(volume, stored)
        let isRecoveryNeeded = stored.incompatible & ExtSuperblock.Incompatible.recover != 0
        if stored.hasJournal {
            try require(stored.journalInode != 0, "its journal lies on another disk")
            let journal = try ExtJournal(file: try ExtFreeSpace.journalFile(stored, blocks), in: blocks)
            try require(journal.isEmpty || isRecoveryNeeded, "it has a journal and denies it")
            blocks.replacements = try journal.replacements()
        } else {
            try require(!isRecoveryNeeded, "it has no journal and says so")
        }
        let block = try blocks.read(stored.ownBlock)
        let recovered = try ExtSuperblock(Record(Array(try block.slice(Int(ExtSuperblock.offset) % stored.blockByteCount, ExtSuperblock.byteCount))))
        try ExtFreeSpace.requireSound(recovered)
        try require(recovered.blockByteCount == stored.blockByteCount && recovered.blockCount <= volume.byteCount / UInt64(stored.blockByteCount), "its journal makes no sense")
        superblock = recovered
        var recoveredBlocks = try ExtBlocks(volume, recovered)
        recoveredBlocks.replacements = blocks.replacements
        self.blocks = recoveredBlocks
    }

    private static func requireSound(_ superblock: ExtSuperblock) throws(InspectionFailure) {
        try require(superblock.state & State.errors == 0, "it has recorded errors; check it with e2fsck")
        try require(superblock.state & State.valid != 0, "it is mounted, or was not unmounted, and has no journal")
    }

    /// The journal is an inode of the first group.
    private static func journalFile(_ superblock: ExtSuperblock, _ blocks: ExtBlocks) throws(InspectionFailure) -> ExtFileBlocks {
        let index = UInt64(superblock.journalInode) - 1
        try require(index < superblock.inodesPerGroup, "its journal is in an unusual place")
        let descriptor = Descriptor(try blocks.readStored(superblock.descriptorBlock(0)), at: 0, byteCount: superblock.descriptorByteCount)
        let offset = index * UInt64(superblock.inodeByteCount)
        let block = try blocks.readStored(try descriptor.inodeTable() + offset / UInt64(superblock.blockByteCount))
        let inode = Record(Array(try block.slice(Int(offset % UInt64(superblock.blockByteCount)), superblock.inodeByteCount)))
        // 16 GiB in blocks of 4096 bytes; mke2fs makes 1 GiB at most.
        return try ExtFileBlocks(inode: inode, in: blocks, countMax: 1 << 22)
    }

    // MARK: Groups

    /// One group descriptor.
    private struct Descriptor {
        let record: Record

        init(_ block: Record, at offset: Int, byteCount: Int) { record = Record(Array(block.bytes[offset..<offset + byteCount])) }

        private func wide(_ low: Int, _ high: Int, _ byteCount: Int) throws(InspectionFailure) -> UInt64 {
            let value = try record.little(low, byteCount)
            return record.byteCount >= 64 ? value | (try record.little(high, byteCount)) << UInt64(8 * byteCount) : value
        }

        func blockBitmap() throws(InspectionFailure) -> UInt64 { try wide(0x0, 0x20, 4) }
        func inodeBitmap() throws(InspectionFailure) -> UInt64 { try wide(0x4, 0x24, 4) }
        func inodeTable() throws(InspectionFailure) -> UInt64 { try wide(0x8, 0x28, 4) }
        func freeClusterCount() throws(InspectionFailure) -> UInt64 { try wide(0xC, 0x2C, 2) }
        func flags() throws(InspectionFailure) -> UInt16 { try record.little16(0x12) }

        func fits(_ superblock: ExtSuperblock, _ group: UInt64) throws(InspectionFailure) -> Bool {
            let number = UInt32(group).littleEndianBytes
            if superblock.hasChecksums {
                let seed = Checksums.crc32c(superblock.checksumSeed, number)
                return UInt16(truncatingIfNeeded: Checksums.crc32c(seed, try record.blanking(0x1E, 2).bytes)) == (try record.little16(0x1E))
            }
            guard superblock.hasDescriptorChecksums else { return true }
            let head = Checksums.crc16(Checksums.crc16(Checksums.crc16(~0, superblock.uuid), number), try record.slice(0, 0x1E))
            return Checksums.crc16(head, try record.slice(0x20, record.byteCount - 0x20)) == (try record.little16(0x1E))
        }

        func fits(_ bitmap: Record, _ superblock: ExtSuperblock) throws(InspectionFailure) -> Bool {
            guard superblock.hasChecksums else { return true }
            let clusterCount = superblock.blocksPerGroup / superblock.clusterBlockCount
            let checksum = Checksums.crc32c(superblock.checksumSeed, try bitmap.slice(0, Int(clusterCount / 8)))
            let stated = UInt32(try wide(0x18, 0x38, 2))
            return record.byteCount >= 64 ? checksum == stated : checksum & 0xffff == stated
        }
    }

    private mutating func searchGroups() throws(InspectionFailure) {
        try collectReserved()
        var descriptors = Record([])
        for group in 0..<superblock.groupCount {
            let index = group % superblock.descriptorsPerBlock
            if index == 0 { descriptors = try blocks.read(superblock.descriptorBlock(group / superblock.descriptorsPerBlock)) }
            let descriptor = Descriptor(descriptors, at: Int(index) * superblock.descriptorByteCount, byteCount: superblock.descriptorByteCount)
            do throws(InspectionFailure) { try search(group, descriptor) } catch { doubtfulGroups.append(group) }
        }
    }

    private mutating func search(_ group: UInt64, _ descriptor: Descriptor) throws(InspectionFailure) {
        try require(try descriptor.fits(superblock, group), "wrong checksum")
        let first = superblock.firstBlock(ofGroup: group)
        let end = min(first + superblock.blocksPerGroup, superblock.blockCount)
        let hasFlags = superblock.hasChecksums || superblock.hasDescriptorChecksums
        if hasFlags, try descriptor.flags() & GroupFlag.blocksNotInitialised != 0 { return try add(first..<end) }

        let bitmap = try blocks.read(try descriptor.blockBitmap())
        try require(try descriptor.fits(bitmap, superblock), "wrong checksum")
        let clusterCount = Int((end - first + superblock.clusterBlockCount - 1) / superblock.clusterBlockCount)
        let runs = BitmapRuns.clear(in: bitmap.bytes.span, bitCount: clusterCount)
        // Both are of the same transaction.
        try require(UInt64(runs.reduce(0) { $0 + $1.count }) == (try descriptor.freeClusterCount()), "wrong count")
        for run in runs {
            let from = first + UInt64(run.lowerBound) * superblock.clusterBlockCount
            try add(from..<min(end, first + UInt64(run.upperBound) * superblock.clusterBlockCount))
        }
    }

    /// Adds free blocks, without those that hold tables.
    private mutating func add(_ free: Range<UInt64>) throws(InspectionFailure) {
        var from = free.lowerBound
        while nextReserved < reserved.count, reserved[nextReserved].upperBound <= from { nextReserved += 1 }
        var index = nextReserved
        while index < reserved.count, reserved[index].lowerBound < free.upperBound {
            try addBytes(from, max(from, reserved[index].lowerBound))
            from = max(from, min(reserved[index].upperBound, free.upperBound))
            index += 1
        }
        try addBytes(from, free.upperBound)
    }

    private mutating func addBytes(_ from: UInt64, _ end: UInt64) throws(InspectionFailure) {
        let unit = UInt64(superblock.blockByteCount)
        try require(builder.add(from * unit..<end * unit), "free blocks are out of order")
    }

    /// Bitmaps of groups that are not initialised are not on the disk; so what must not be free is known without them.
    private mutating func collectReserved() throws(InspectionFailure) {
        var ranges: [Range<UInt64>] = []
        func reserve(_ first: UInt64, _ count: UInt64) {
            if first < superblock.blockCount { ranges.append(first..<min(superblock.blockCount, first + count)) }
        }
        let descriptorBlockCount = superblock.hasMetaGroups ? superblock.firstMetaGroup : superblock.descriptorBlockCount + superblock.reservedDescriptorBlockCount
        let inodeTableBlockCount = (superblock.inodesPerGroup * UInt64(superblock.inodeByteCount) + UInt64(superblock.blockByteCount) - 1) / UInt64(superblock.blockByteCount)
        reserve(0, superblock.ownBlock + 1 + descriptorBlockCount)
        var descriptors = Record([])
        for group in 0..<superblock.groupCount {
            if superblock.hasSuperblock(group) { reserve(superblock.firstBlock(ofGroup: group), 1 + descriptorBlockCount) }
            // A block of descriptors, behind a superblock if there is one.
            if superblock.hasMetaGroups { reserve(superblock.firstBlock(ofGroup: group), 3) }
            let index = group % superblock.descriptorsPerBlock
            if index == 0 { descriptors = try blocks.read(superblock.descriptorBlock(group / superblock.descriptorsPerBlock)) }
            let descriptor = Descriptor(descriptors, at: Int(index) * superblock.descriptorByteCount, byteCount: superblock.descriptorByteCount)
            reserve(try descriptor.blockBitmap(), 1)
            reserve(try descriptor.inodeBitmap(), 1)
            reserve(try descriptor.inodeTable(), inodeTableBlockCount)
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        for range in ranges {
            if let last = reserved.last, range.lowerBound <= last.upperBound {
                reserved[reserved.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                reserved.append(range)
            }
        }
    }
}
