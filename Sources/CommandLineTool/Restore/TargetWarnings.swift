import DiskLayout
import ImageRepository
import RepositoryFormat

/// What is restored as it was, and may not be of use where it is then.
enum TargetWarnings {
    static func all(_ image: ImageRecord, _ fitted: FittedImage) -> [String] { sectors(image, fitted) + [windows(image, fitted)].compactMap { $0 } }

    /// A file system that reads or writes less than a sector at once is refused by those who mount it.
    private static func sectors(_ image: ImageRecord, _ fitted: FittedImage) -> [String] {
        guard fitted.sectorByteCount > image.logicalSectorByteCount else { return [] }
        return fitted.partitions.compactMap { partition in
            guard let content = FileSystemDescription(ofVolume: partition.volume.fileSystem), content.usage == .fileSystem, let block = content.blockByteCount,
                block < fitted.sectorByteCount
            else { return nil }
            return "partition \(partition.number) of \(image.name) holds \(content.type) for sectors of at most \(block) bytes, which cannot be mounted on a target with sectors of \(fitted.sectorByteCount)"
        }
    }

    /// On a disk with an MBR, Windows knows its partitions by the places where they begin: in its boot configuration, and for their letters.
    private static func windows(_ image: ImageRecord, _ fitted: FittedImage) -> String? {
        guard let label = DiskLabel(ofImage: image.label), label.kind == .mbr else { return nil }
        let windows = fitted.partitions.filter { FileSystemDescription(ofVolume: $0.volume.fileSystem)?.type == "ntfs" }
        guard windows.contains(where: { partition in label.partitions.contains { $0.number == partition.number && $0.attributes & 0x80 != 0 } }) else { return nil }
        guard let moved = windows.first(where: \.hasMoved) else { return nil }
        return "Windows knows partition \(moved.number) of \(image.name) by its place, which is another on the target: its boot configuration may have to be repaired there (bootrec /rebuildbcd)"
    }
}
