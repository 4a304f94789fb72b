import DiskLayout

/// Finds a disk's label: a GPT, which is proved by its checksums, else an MBR, which is hardly proved by anything.
struct LabelReader {
    struct Found {
        var label: DiskLabel
        var sectorByteCount: UInt32
        var warnings: [String] = []
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
        // The boot sectors of these end with the same two bytes; where the table would be is code.
        if ["vfat", "ntfs", "exfat"].contains(wholeContent?.type) { return nil }
        let used = records.filter { !$0.isEmpty }
        if used.isEmpty, wholeContent != nil { return nil }
        try require(records.allSatisfy { $0.status & 0x7f == 0 || $0.isEmpty }, "the first sector is no partition table that makes sense")
        return Found(label: try MBRReader(source: source, sectorByteCount: sectorByteCount).read(first, records), sectorByteCount: sectorByteCount)
    }
}
