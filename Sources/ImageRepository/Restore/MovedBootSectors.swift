import DiskImages
import DiskLayout
import RepositoryFormat

/// NTFS and FAT note in their boot sectors where on the disk they begin; whoever boots them under BIOS relies on it. What moved is told its new place.
///
/// Offsets: “hidden sectors” of the BIOS parameter block, 4 bytes little-endian at 28 (Microsoft, FAT specification 1.03, 3.1; NTFS has the same field).
enum MovedBootSectors {
    private static let fieldOffset = 28
    private static let fieldByteCount = 4

    /// - Parameter image: as it was on the source.
    /// - Returns: what is to be written over the partitions on the target.
    static func sectors(_ partitions: [FittedImage.Partition], of image: any ImageReader, sectorByteCount: UInt32) throws(ImageError) -> [LabelSectors] {
        var sectors: [LabelSectors] = []
        for partition in partitions where partition.hasMoved && partition.volume.byteCount >= 512 {
            var boot = [UInt8](repeating: 0, count: 512)
            var span = boot.mutableSpan
            guard try image.read(at: partition.old.lowerBound, into: &span) == boot.count, let copy = backupSector(boot) else { continue }
            let field = fieldOffset..<fieldOffset + fieldByteCount
            let old = UInt32(clamping: partition.old.lowerBound / UInt64(sectorByteCount)), new = UInt32(clamping: partition.new.lowerBound / UInt64(sectorByteCount))
            // Whoever formatted it without knowing its place left something else there, and nobody relies on that. In logical partitions some count from the partition's table, which seldom comes to stand elsewhere before it.
            guard old.bytes == Array(boot[field]) else { continue }
            for number in Set([0, copy]) {
                let start = partition.new.lowerBound + UInt64(number) * UInt64(sectorByteCount)
                sectors.append(LabelSectors(offset: start + UInt64(fieldOffset), bytes: new.bytes))
            }
        }
        return sectors
    }

    /// The sector with the boot sector's copy, 0 if nobody reads one to boot. Nil if it is no boot sector of NTFS or FAT.
    private static func backupSector(_ boot: [UInt8]) -> Int? {
        guard boot[510] == 0x55, boot[511] == 0xAA else { return nil }
        if boot[3..<11].elementsEqual("NTFS    ".utf8) { return 0 }
        if boot[82..<87].elementsEqual("FAT32".utf8) { return Int(boot[50]) | Int(boot[51]) << 8 }
        return boot[54..<57].elementsEqual("FAT".utf8) ? 0 : nil
    }
}

extension UInt32 {
    fileprivate var bytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}
