/// The blocks of an ext file system as they will be once its journal was replayed.
struct ExtBlocks {
    /// A block of the journal that holds the newest content of another one.
    struct Replacement: Equatable {
        var block: UInt64
        /// Its first four bytes were those of the journal's magic and are zero in the journal.
        var isEscaped: Bool
    }

    let volume: SourceWindow
    let blockByteCount: Int
    let blockCount: UInt64
    var replacements: [UInt64: Replacement] = [:]

    init(_ volume: SourceWindow, _ superblock: ExtSuperblock) throws(InspectionFailure) {
        self.volume = volume
        blockByteCount = superblock.blockByteCount
        blockCount = superblock.blockCount
        try require(blockCount <= volume.byteCount / UInt64(blockByteCount), "it is larger than its volume")
    }

    func read(_ block: UInt64) throws(InspectionFailure) -> Record {
        guard let replacement = replacements[block] else { return try readStored(block) }
        var record = try readStored(replacement.block)
        if replacement.isEscaped { record.bytes.replaceSubrange(0..<4, with: ExtJournal.magic.bigEndianBytes) }
        return record
    }

    /// What the disk itself has there.
    func readStored(_ block: UInt64) throws(InspectionFailure) -> Record {
        try require(block < blockCount, "something is said to lie behind its end")
        return try volume.read(at: block * UInt64(blockByteCount), byteCount: blockByteCount)
    }
}
