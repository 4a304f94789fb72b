import DiskLayout
import ImageRepository
import RepositoryFormat

/// How the target of a restore will be laid out, for whoever has to decide.
enum LayoutText {
    /// Empty for what has no partitions.
    static func lines(_ image: ImageRecord, _ fitted: FittedImage?) -> [String] {
        let label = DiskLabel(ofImage: image.label)
        let partitions = fitted?.partitions ?? image.volumes.compactMap(FittedImage.Partition.init)
        guard !partitions.isEmpty else { return [] }
        var table = Table([("PARTITION", .left), ("OFFSET", .right), ("SIZE", .right), ("USED", .right), ("CONTENT", .left), ("NAME", .left), ("CHANGE", .left)])
        for partition in partitions {
            let content = FileSystemDescription(ofVolume: partition.volume.fileSystem)
            table.add([
                "\(partition.number)", "\(partition.new.lowerBound)", ByteText.of(partition.new.upperBound - partition.new.lowerBound), content?.usedByteCount.map { ByteText.of($0) } ?? "",
                content?.type ?? "", label?.partitions.first { $0.number == partition.number }?.name ?? "", change(partition, content),
            ])
        }
        return table.lines
    }

    /// What is not as on the source, in sentences.
    static func sentences(_ image: ImageRecord, _ fitted: FittedImage) -> [String] {
        var sentences = fitted.writesLabel ? ["The partition table is written anew, for a disk of \(CountText.of(fitted.byteCount, "byte"))."] : []
        for partition in fitted.partitions {
            if partition.hasMoved { sentences.append("Partition \(partition.number) moves from byte \(partition.old.lowerBound) to \(partition.new.lowerBound).") }
            guard partition.isResized else { continue }
            let content = FileSystemDescription(ofVolume: partition.volume.fileSystem)
            sentences.append(
                "Partition \(partition.number) becomes \(partition.isSmaller ? "smaller" : "larger"): \(CountText.of(partition.new.upperBound - partition.new.lowerBound, "byte")) instead of "
                    + "\(partition.old.upperBound - partition.old.lowerBound)"
                    + (FileSystemResizer(content) == nil ? "; what it holds (\(content?.type ?? "unknown")) keeps its size." : ", with its file system (\(content?.type ?? ""))."))
        }
        return sentences + TargetWarnings.all(image, fitted).map { $0 + "." }
    }

    private static func change(_ partition: FittedImage.Partition, _ content: FileSystemDescription?) -> String {
        var words: [String] = []
        if partition.hasMoved { words.append("moves") }
        if partition.isResized { words.append(partition.isSmaller ? "shrinks from \(ByteText.of(partition.old.upperBound - partition.old.lowerBound))" : "grows from \(ByteText.of(partition.old.upperBound - partition.old.lowerBound))") }
        return words.joined(separator: ", ")
    }
}
