import DiskLayout

/// Finds a disk's label: a GPT, which is proved by its checksums, else an MBR, which is hardly proved by anything.
struct LabelReader {
    struct Found {
        var label: DiskLabel
        var sectorByteCount: UInt32
        var warnings: [String] = []
        /// Whether the disk may as well hold something that knows nothing of this label. Then nothing is free for sure.
        var isDoubtful = false
    }

    let source: SourceWindow
    let sectorByteCount: UInt32

    /// Nil if there is none.
    ///
    /// - Parameter wholeContent: what the disk holds when it is seen as one volume.
    /// - Throws: if there is one that cannot be followed.
    func read(wholeContent: FileSystemDescription?) throws(InspectionFailure) -> Found? {
        guard source.byteCount >= 512 else { return nil }
        let first = try source.read(at: 0, byteCount: 512)
        guard try first.little16(510) == 0xAA55 else { return nil }
        let records = try (0..<4).map { (index) throws(InspectionFailure) in try MBRRecord(first, at: 446 + 16 * index) }
        if records.contains(where: { $0.type == MBRRecord.protective }) {
            // In image files nobody says the sector size; the checksums do.
            for size in [sectorByteCount, sectorByteCount == 512 ? 4096 : 512] {
                if let found = try GPTReader(source: source, sectorByteCount: size).read() { return found }
            }
            throw .notProvable("there is an MBR that protects a GPT, and no GPT that is sound")
        }
        let used = records.filter { !$0.isEmpty }
        if let wholeContent {
            // The boot sectors of these end with the same two bytes; where the table would be is code, unless somebody partitioned the disk later and left the rest of
            // the sector as it was. The kernel takes for a table what has no other status than these two.
            let isBootSector = ["vfat", "ntfs", "exfat"].contains(wholeContent.type)
            if used.isEmpty || isBootSector && !records.allSatisfy({ $0.status & 0x7f == 0 }) { return nil }
        }
        try require(records.allSatisfy { $0.status & 0x7f == 0 || $0.isEmpty }, "the first sector is no partition table that makes sense")
        var found = Found(label: try MBRReader(source: source, sectorByteCount: sectorByteCount).read(first, records), sectorByteCount: sectorByteCount)
        if let wholeContent {
            found.isDoubtful = true
            found.warnings.append(
                "there is a partition table, and \(wholeContent.type) on the disk as a whole, one of which is a leftover; all of it counts as used (“wipefs --no-act” shows both)")
        }
        return found
    }
}
