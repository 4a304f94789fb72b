import DiskLayout

/// Reads a jbd2 log and finds what a recovery would write, without writing it.
///
/// It follows fs/jbd2/recovery.c of the Linux kernel where that succeeds; wherever that would report damage, or would have to guess, it throws.
/// Layout: Documentation/filesystems/ext4/journal.rst.
struct ExtJournal {
    static let magic: UInt32 = 0xC03B_3998

    private enum Kind {
        static let descriptor: UInt32 = 1
        static let commit: UInt32 = 2
        static let superblock1: UInt32 = 3
        static let superblock2: UInt32 = 4
        static let revoke: UInt32 = 5
    }

    private enum Feature {
        static let compatibleChecksums: UInt32 = 0x1
        static let wide: UInt32 = 0x2
        static let asynchronousCommit: UInt32 = 0x4
        static let checksums2: UInt32 = 0x8
        static let checksums3: UInt32 = 0x10
        static let fastCommit: UInt32 = 0x20
        static let known: UInt32 = 0x1 | wide | asynchronousCommit | checksums2 | checksums3 | fastCommit
    }

    private enum TagFlag {
        static let escaped: UInt32 = 1
        static let sameUUID: UInt32 = 2
        static let deleted: UInt32 = 4
        static let last: UInt32 = 8
    }

    private struct Write {
        var target: UInt64
        var source: UInt64
        var isEscaped: Bool
        var sequence: UInt32
    }

    private let blocks: ExtBlocks
    private let file: ExtFileBlocks
    private let first: UInt64
    /// Where the log wraps; behind it lies the area of fast commits, if there is one.
    private let end: UInt64
    private let incompatible: UInt32
    private let checksumSeed: UInt32
    private let startSequence: UInt32
    /// Nil if the log is empty.
    private let start: UInt64?
    private let fastCommitBlock: UInt64?

    init(file: ExtFileBlocks, in blocks: ExtBlocks) throws(InspectionFailure) {
        self.file = file
        self.blocks = blocks
        let record = try blocks.readStored(try file.block(0))
        let kind = try record.big32(4)
        try require(try record.big32(0) == ExtJournal.magic && (kind == Kind.superblock1 || kind == Kind.superblock2), "its journal has no superblock")
        let compatible = kind == Kind.superblock2 ? try record.big32(0x24) : 0
        incompatible = kind == Kind.superblock2 ? try record.big32(0x28) : 0
        let readOnlyCompatible = kind == Kind.superblock2 ? try record.big32(0x2C) : 0
        try require(incompatible & ~Feature.known == 0 && readOnlyCompatible == 0 && compatible & ~Feature.compatibleChecksums == 0, "its journal has features that are not known")
        let hasChecksums = incompatible & (Feature.checksums2 | Feature.checksums3) != 0
        try require(compatible == 0 && (incompatible & Feature.asynchronousCommit == 0 || hasChecksums), "its journal has checksums of an old kind")
        try require(incompatible & (Feature.checksums2 | Feature.checksums3) != Feature.checksums2 | Feature.checksums3, "its journal has checksums of two kinds")
        if hasChecksums {
            let stated = try record.big32(0xFC)
            let blank = try record.blanking(0xFC, 4).slice(0, 1024)
            try require(try record.byte(0x50) == 4 && Checksums.crc32c(~0, blank) == stated, "the checksum of its journal's superblock is wrong")
        }
        checksumSeed = Checksums.crc32c(~0, try record.slice(0x30, 16))

        let blockCount = UInt64(try record.big32(0x10))
        var logEnd = blockCount
        var fastCommits: UInt64?
        if incompatible & Feature.fastCommit != 0 {
            let stated = UInt64(try record.big32(0x54))
            let fastCommitCount = stated == 0 ? 256 : stated
            try require(fastCommitCount > 1 && fastCommitCount < blockCount, "its journal has no room for a log")
            logEnd -= fastCommitCount
            // One block between the log and them is not used.
            fastCommits = logEnd + 1
        }
        end = logEnd
        fastCommitBlock = fastCommits
        first = UInt64(try record.big32(0x14))
        startSequence = try record.big32(0x18)
        let start = UInt64(try record.big32(0x1C))
        self.start = start == 0 ? nil : start
        try require(
            Int(try record.big32(0xC)) == blocks.blockByteCount && blockCount <= file.count && first >= 1 && first < end && (start == 0 || (start >= first && start < end)),
            "the superblock of its journal makes no sense")
        try require(try record.big32(0x20) == 0, "its journal was aborted after an error")
    }

    var isEmpty: Bool { start == nil }

    /// What a recovery would write where.
    func replacements() throws(InspectionFailure) -> [UInt64: ExtBlocks.Replacement] {
        var log = Log(sequence: startSequence)
        if let start { try scan(from: start, &log) }
        try requireNoFastCommits(from: log.sequence)
        var replacements: [UInt64: ExtBlocks.Replacement] = [:]
        for write in log.writes {
            // A revoked block is not written from that transaction or an earlier one.
            if let revoked = log.revokes[write.target], !ExtJournal.isLater(write.sequence, than: revoked) { continue }
            replacements[write.target] = ExtBlocks.Replacement(block: write.source, isEscaped: write.isEscaped)
        }
        return replacements
    }

    private struct Log {
        /// Of the transaction that is being read.
        var sequence: UInt32
        /// Of transactions that were committed.
        var writes: [Write] = []
        var revokes: [UInt64: UInt32] = [:]
    }

    private struct Transaction {
        var writes: [Write] = []
        var revokes: [UInt64] = []
        var isDamaged = false
    }

    /// Sequence numbers wrap.
    private static func isLater(_ sequence: UInt32, than other: UInt32) -> Bool { Int32(bitPattern: sequence &- other) > 0 }

    private func scan(from start: UInt64, _ log: inout Log) throws(InspectionFailure) {
        var position = start
        var readCount: UInt64 = 0
        var transaction = Transaction()
        /// The block of the journal that is next in the log.
        func next() throws(InspectionFailure) -> UInt64 {
            readCount += 1
            try require(readCount <= end - first, "its journal does not end")
            defer { position = position + 1 == end ? first : position + 1 }
            return try file.block(position)
        }
        while true {
            if readCount == end - first { return }
            let record = try blocks.readStored(try next())
            guard try record.big32(0) == ExtJournal.magic, try record.big32(8) == log.sequence else { return }
            switch try record.big32(4) {
            case Kind.descriptor:
                try requireTail(record)
                for tag in try tags(of: record) {
                    let source = try next()
                    // Only a commit makes damage of it: the log ends where it was torn.
                    if try !fits(tag, source, log.sequence) { transaction.isDamaged = true }
                    transaction.writes.append(Write(target: tag.target, source: source, isEscaped: tag.flags & TagFlag.escaped != 0, sequence: log.sequence))
                }
            case Kind.revoke:
                try requireTail(record)
                transaction.revokes += try revoked(by: record)
            case Kind.commit:
                try requireCommitChecksum(record)
                try require(!transaction.isDamaged, "a block of its journal is damaged")
                try require(transaction.writes.allSatisfy { $0.target < blocks.blockCount }, "its journal writes behind its end")
                log.writes += transaction.writes
                for block in transaction.revokes { log.revokes[block] = log.sequence }
                transaction = Transaction()
                log.sequence &+= 1
            default: return
            }
        }
    }

    // MARK: Parts of the log

    private struct Tag {
        var target: UInt64
        var flags: UInt32
        var checksum: UInt32
    }

    private var hasChecksums: Bool { incompatible & (Feature.checksums2 | Feature.checksums3) != 0 }
    private var isWide: Bool { incompatible & Feature.wide != 0 }
    private var tailByteCount: Int { hasChecksums ? 4 : 0 }

    private func tags(of record: Record) throws(InspectionFailure) -> [Tag] {
        let has3 = incompatible & Feature.checksums3 != 0
        let byteCount = has3 ? 16 : 8 + (incompatible & Feature.checksums2 != 0 ? 2 : 0) + (isWide ? 4 : 0)
        var tags: [Tag] = []
        var at = 12
        while at + byteCount <= record.byteCount - tailByteCount {
            var target = UInt64(try record.big32(at))
            if isWide { target |= UInt64(try record.big32(at + 8)) << 32 }
            // The upper half of the wide ones is nothing that a recovery looks at.
            let flags = UInt32(try record.big16(at + 6))
            tags.append(Tag(target: target, flags: flags, checksum: has3 ? try record.big32(at + 12) : UInt32(try record.big16(at + 4))))
            try require(flags & ~(TagFlag.escaped | TagFlag.sameUUID | TagFlag.deleted | TagFlag.last) == 0, "a tag of its journal is damaged")
            at += byteCount + (flags & TagFlag.sameUUID == 0 ? 16 : 0)
            if flags & TagFlag.last != 0 { return tags }
        }
        return tags
    }

    private func fits(_ tag: Tag, _ source: UInt64, _ sequence: UInt32) throws(InspectionFailure) -> Bool {
        guard hasChecksums else { return true }
        let checksum = Checksums.crc32c(Checksums.crc32c(checksumSeed, sequence.bigEndianBytes), try blocks.readStored(source).bytes)
        return incompatible & Feature.checksums3 != 0 ? checksum == tag.checksum : checksum & 0xffff == tag.checksum
    }

    private func revoked(by record: Record) throws(InspectionFailure) -> [UInt64] {
        let usedByteCount = Int(try record.big32(12))
        let itemByteCount = isWide ? 8 : 4
        try require(usedByteCount >= 16 && usedByteCount <= record.byteCount - tailByteCount, "a revocation in its journal is damaged")
        var revoked: [UInt64] = []
        var at = 16
        while at + itemByteCount <= usedByteCount {
            revoked.append(try record.big(at, itemByteCount))
            at += itemByteCount
        }
        return revoked
    }

    private func requireTail(_ record: Record) throws(InspectionFailure) {
        guard hasChecksums else { return }
        let at = record.byteCount - 4
        try require(Checksums.crc32c(checksumSeed, try record.blanking(at, 4).bytes) == (try record.big32(at)), "a checksum in its journal is wrong")
    }

    private func requireCommitChecksum(_ record: Record) throws(InspectionFailure) {
        guard hasChecksums else { return }
        try require(Checksums.crc32c(checksumSeed, try record.blanking(16, 4).bytes) == (try record.big32(16)), "the checksum of a commit in its journal is wrong")
    }

    /// Fast commits change what is allocated, and only the file system knows how.
    private func requireNoFastCommits(from sequence: UInt32) throws(InspectionFailure) {
        guard let fastCommitBlock else { return }
        let record = try blocks.readStored(try file.block(fastCommitBlock))
        // A head: tag 9, 8 bytes long; its features, and the transaction that it belongs to.
        guard try record.little16(0) == 9, try record.little16(2) == 8 else { return }
        let pending = try record.little32(8)
        try require(ExtJournal.isLater(sequence, than: pending), "fast commits are pending in its journal")
    }
}
