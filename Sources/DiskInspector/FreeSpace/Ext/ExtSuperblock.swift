import DiskLayout

/// The fields of an ext2, ext3 or ext4 superblock that say where things are, and whether they can be believed.
///
/// Layout: Documentation/filesystems/ext4/super.rst of the Linux kernel.
struct ExtSuperblock: Equatable {
    static let offset: UInt64 = 1024
    static let byteCount = 1024

    enum Compatible {
        static let hasJournal: UInt32 = 0x4
        static let sparseSuper2: UInt32 = 0x200
    }

    enum Incompatible {
        static let recover: UInt32 = 0x4
        static let metaGroups: UInt32 = 0x10
        static let wide: UInt32 = 0x80
        static let checksumSeed: UInt32 = 0x2000
        /// File types, recovery, meta groups, extents, 64 bits, multiple mount protection, flexible groups, values in inodes, data in
        /// directories, checksum seed, large directories, inline data, encryption, case folding.
        static let known: UInt32 = 0x2 | recover | metaGroups | 0x40 | wide | 0x100 | 0x200 | 0x400 | 0x1000 | checksumSeed | 0x4000 | 0x8000 | 0x10000 | 0x20000
    }

    enum ReadOnlyCompatible {
        static let sparseSuper: UInt32 = 0x1
        static let descriptorChecksums: UInt32 = 0x10
        static let clusters: UInt32 = 0x200
        static let checksums: UInt32 = 0x400
        /// Also large and huge files, directory trees and links, larger inodes, quotas, read-only, projects, verity, orphan files.
        static let known: UInt32 = sparseSuper | 0x2 | 0x4 | 0x8 | descriptorChecksums | 0x20 | 0x40 | 0x100 | clusters | checksums | 0x1000 | 0x2000 | 0x8000 | 0x10000
    }

    let blockCount: UInt64
    let blockByteCount: Int
    let firstDataBlock: UInt64
    let blocksPerGroup: UInt64
    /// Blocks in a cluster: what one bit of a bitmap stands for.
    let clusterBlockCount: UInt64
    let inodesPerGroup: UInt64
    let inodeByteCount: Int
    let descriptorByteCount: Int
    let reservedDescriptorBlockCount: UInt64
    let firstMetaGroup: UInt64
    let backupGroups: [UInt64]
    let state: UInt16
    let compatible: UInt32
    let incompatible: UInt32
    let readOnlyCompatible: UInt32
    let uuid: [UInt8]
    let journalInode: UInt32
    let checksumSeed: UInt32

    init(_ record: Record) throws(InspectionFailure) {
        try require(try record.little16(0x38) == 0xEF53, "there is no superblock")
        compatible = try record.little32(0x5C)
        incompatible = try record.little32(0x60)
        readOnlyCompatible = try record.little32(0x64)
        try require(incompatible & ~Incompatible.known == 0 && readOnlyCompatible & ~ReadOnlyCompatible.known == 0, "it has features that are not known")
        if readOnlyCompatible & ReadOnlyCompatible.checksums != 0 {
            try require(try record.byte(0x175) == 1, "its checksums are of an unknown kind")
            let stated = try record.little32(0x3FC)
            try require(Checksums.crc32c(~0, try record.slice(0, 0x3FC)) == stated, "the checksum of its superblock is wrong")
        }
        let isWide = incompatible & Incompatible.wide != 0
        blockCount = UInt64(try record.little32(0x4)) | (isWide ? UInt64(try record.little32(0x150)) << 32 : 0)
        firstDataBlock = UInt64(try record.little32(0x14))
        let (blockShift, clusterShift) = (try record.little32(0x18), try record.little32(0x1C))
        try require(blockShift <= 6 && blockCount > firstDataBlock && blockCount < 1 << 48, "its sizes make no sense")
        blockByteCount = 1024 << Int(blockShift)
        blocksPerGroup = UInt64(try record.little32(0x20))
        if readOnlyCompatible & ReadOnlyCompatible.clusters != 0 {
            try require(clusterShift >= blockShift && clusterShift - blockShift <= 16, "its clusters make no sense")
            clusterBlockCount = 1 << UInt64(clusterShift - blockShift)
        } else {
            try require(clusterShift == blockShift, "its clusters make no sense")
            clusterBlockCount = 1
        }
        // Only a unit of 1024 bytes leaves a boot block before the superblock.
        try require(firstDataBlock == (clusterShift == 0 ? 1 : 0), "its sizes make no sense")
        let clustersPerGroup = blocksPerGroup / clusterBlockCount
        try require(
            clustersPerGroup > 0 && clustersPerGroup % 8 == 0 && clustersPerGroup <= UInt64(8 * blockByteCount) && blocksPerGroup % clusterBlockCount == 0,
            "its groups make no sense")
        inodesPerGroup = UInt64(try record.little32(0x28))
        let hasRevision = try record.little32(0x4C) > 0
        inodeByteCount = hasRevision ? Int(try record.little16(0x58)) : 128
        try require(inodeByteCount >= 128 && inodeByteCount <= blockByteCount && inodesPerGroup > 0 && inodesPerGroup <= UInt64(8 * blockByteCount), "its inodes make no sense")
        descriptorByteCount = isWide ? Int(try record.little16(0xFE)) : 32
        try require(
            descriptorByteCount >= (isWide ? 64 : 32) && descriptorByteCount <= blockByteCount && descriptorByteCount & (descriptorByteCount - 1) == 0,
            "its group descriptors make no sense")
        reservedDescriptorBlockCount = UInt64(try record.little16(0xCE))
        firstMetaGroup = UInt64(try record.little32(0x104))
        backupGroups = [UInt64(try record.little32(0x24C)), UInt64(try record.little32(0x250))]
        state = try record.little16(0x3A)
        uuid = Array(try record.slice(0x68, 16))
        journalInode = try record.little32(0xE0)
        checksumSeed = incompatible & Incompatible.checksumSeed != 0 ? try record.little32(0x270) : Checksums.crc32c(~0, uuid)
        try require(groupCount <= 1 << 20, "it has more groups than can be looked at")
        try require(UInt64(try record.little32(0)) == groupCount * inodesPerGroup, "its groups make no sense")
    }

    var groupCount: UInt64 { (blockCount - firstDataBlock + blocksPerGroup - 1) / blocksPerGroup }
    var descriptorsPerBlock: UInt64 { UInt64(blockByteCount / descriptorByteCount) }
    var descriptorBlockCount: UInt64 { (groupCount + descriptorsPerBlock - 1) / descriptorsPerBlock }
    var hasMetaGroups: Bool { incompatible & Incompatible.metaGroups != 0 }
    var hasJournal: Bool { compatible & Compatible.hasJournal != 0 }
    var hasChecksums: Bool { readOnlyCompatible & ReadOnlyCompatible.checksums != 0 }
    var hasDescriptorChecksums: Bool { readOnlyCompatible & ReadOnlyCompatible.descriptorChecksums != 0 }
    /// The block that holds the superblock itself.
    var ownBlock: UInt64 { ExtSuperblock.offset / UInt64(blockByteCount) }

    func firstBlock(ofGroup group: UInt64) -> UInt64 { firstDataBlock + group * blocksPerGroup }

    /// Whether a group holds a copy of the superblock.
    func hasSuperblock(_ group: UInt64) -> Bool {
        if group == 0 { return true }
        if compatible & Compatible.sparseSuper2 != 0 { return backupGroups.contains(group) }
        if readOnlyCompatible & ReadOnlyCompatible.sparseSuper == 0 || group == 1 { return true }
        for base: UInt64 in [3, 5, 7] {
            var power = base
            while power < group { power *= base }
            if power == group { return true }
        }
        return false
    }

    /// Where the block of that number of the group descriptors lies.
    func descriptorBlock(_ number: UInt64) -> UInt64 {
        if !hasMetaGroups || number < firstMetaGroup { return ownBlock + 1 + number }
        let group = number * descriptorsPerBlock
        let isBehindSuperblock = hasSuperblock(group)
        // With blocks of 1024 bytes and clusters the first group begins with the boot block.
        return firstBlock(ofGroup: group) + (isBehindSuperblock ? 1 : 0) + (group == 0 && firstDataBlock < ownBlock ? 1 : 0)
    }
}
