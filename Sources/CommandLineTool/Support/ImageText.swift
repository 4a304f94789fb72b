import DiskLayout
import RepositoryFormat

/// What is known of an image, in words: the disk, its label, its volumes.
enum ImageText {
    static func lines(_ image: ImageRecord) -> [String] {
        var lines = ["", "image \(image.name)", "  \(ByteText.of(image.byteCount)) (\(CountText.of(image.byteCount, "byte"))), \(image.source.kind) \(image.source.path)"]
        let hardware = [image.source.model, image.source.serialNumber, image.source.worldWideName].compactMap { $0 }
        if !hardware.isEmpty { lines.append("  \(hardware.joined(separator: ", "))") }
        lines.append("  sectors of \(image.logicalSectorByteCount) bytes, physically \(image.physicalSectorByteCount)")
        if let tracker = image.changeTracker { lines.append("  changes are told by \(tracker.kind) “\(tracker.id)” since “\(tracker.generation)”") }
        let label = DiskLabel(ofImage: image.label)
        if let label { lines.append("  \(label.kind.rawValue.uppercased()), id \(label.id), \(CountText.of(UInt64(label.partitions.count), "partition"))") }
        var table = Table([("VOLUME", .left), ("OFFSET", .right), ("SIZE", .right), ("USED", .right), ("CONTENT", .left), ("LABEL", .left), ("NAME", .left), ("UUID", .left), ("TYPE", .left)])
        var gapCount = 0
        for volume in image.volumes {
            if volume.kind == .gap { gapCount += 1 }
            let name = volume.kind == .gap ? "gap\(gapCount)" : [volume.kind.rawValue, volume.partition.map { "\($0)" }].compactMap { $0 }.joined(separator: " ")
            let partition = volume.partition.flatMap { number in label?.partitions.first { $0.number == number } }
            let content = FileSystemDescription(ofVolume: volume.fileSystem)
            for placement in volume.placements {
                table.add([
                    name, "\(placement.offset)", ByteText.of(placement.byteCount),
                    content?.usedByteCount.map { ByteText.of($0) } ?? "", content?.type ?? "", content?.label ?? "", partition?.name ?? "", content?.uuid ?? "", partition?.type ?? "",
                ])
            }
        }
        return lines + table.lines.map { "  \($0)" }
    }
}
