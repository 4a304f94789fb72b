import DiskLayout
import ImageRepository
import RepositoryFormat

/// On a disk with an MBR, Windows knows its partitions by the places where they begin: in its boot configuration, and for their letters.
enum WindowsPlaces {
    /// What a person should know where such a partition moves. Nil if none does, or if the disk boots no Windows.
    static func warning(_ image: ImageRecord, _ fitted: FittedImage) -> String? {
        guard let label = DiskLabel(ofImage: image.label), label.kind == .mbr else { return nil }
        let windows = fitted.partitions.filter { FileSystemDescription(ofVolume: $0.volume.fileSystem)?.type == "ntfs" }
        guard windows.contains(where: { partition in label.partitions.contains { $0.number == partition.number && $0.attributes & 0x80 != 0 } }) else { return nil }
        guard let moved = windows.first(where: \.hasMoved) else { return nil }
        return "Windows knows partition \(moved.number) of \(image.name) by its place, which is another on the target: its boot configuration may have to be repaired there (bootrec /rebuildbcd)"
    }
}
