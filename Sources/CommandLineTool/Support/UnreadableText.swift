import DiskLayout
import ImageRepository
import RepositoryFormat

/// What could not be read of an image: where it stands, and what it is for the file system there.
struct UnreadableText {
    /// Parts told one by one; a dying disk may have thousands.
    private static let countMax = 20

    let image: ImageRecord
    let parts: [UnreadablePart]
    /// Where `parts` are: the source, or what the image was restored to; nil if it cannot be opened again.
    let path: String?

    /// - Parameter said: what to say of bytes, such as “could not be read”.
    func lines(_ said: String) -> [String] {
        let shown = parts.prefix(UnreadableText.countMax)
        var lines = shown.map { "bytes \($0.range.lowerBound) to \($0.range.upperBound) \(said) (\(meaning($0)))" }
        if parts.count > shown.count { lines.append("\(parts.count - shown.count) more ranges \(said); --json lists all") }
        return lines + hints(Array(shown))
    }

    var json: [JSONValue] {
        parts.map { [
            "image": .string(image.name), "offset": .count($0.range.lowerBound), "byte_count": .count($0.range.upperBound - $0.range.lowerBound),
            "partition": $0.volume.partition.map { .count($0) } ?? .null, "volume_offset": .count($0.volumeOffset), "meaning": .string(meaning($0)),
        ] }
    }

    private func meaning(_ part: UnreadablePart) -> String {
        let content = FileSystemDescription(ofVolume: part.volume.fileSystem)
        let place: String
        switch part.volume.kind {
        case .gap: return isLabel(part) ? "the partition table" : "in no partition"
        case .partition: place = "partition \(part.volume.partition ?? 0)\(named(name(of: part.volume))), "
        default: place = ""
        }
        guard let content else { return "\(place)nobody knows what is there" }
        // What is known not to be in use is not read.
        let use = content.usedByteCount == nil ? "perhaps in use" : "in use"
        return "\(place)\(content.type)\(named(content.label)), from its byte \(part.volumeOffset) on, \(use)"
    }

    private func named(_ name: String?) -> String { name.map { $0.isEmpty ? "" : " “\($0)”" } ?? "" }

    private func name(of volume: VolumeRecord) -> String? {
        DiskLabel(ofImage: image.label)?.partitions.first { UInt64($0.number) == volume.partition }?.name
    }

    /// Nobody but the label has its first and last sectors.
    private func isLabel(_ part: UnreadablePart) -> Bool {
        guard let label = DiskLabel(ofImage: image.label) else { return false }
        let sector = UInt64(image.logicalSectorByteCount)
        let first = (label.firstUsableSector ?? 1) * sector
        let last = label.lastUsableSector.map { ($0 + 1) * sector } ?? .max
        return part.range.lowerBound < first || part.range.upperBound > last
    }

    /// Which file it is, the file system's own tools find out.
    private func hints(_ parts: [UnreadablePart]) -> [String] {
        guard let path else { return [] }
        var hints: [String] = []
        for volume in image.volumes {
            guard let content = FileSystemDescription(ofVolume: volume.fileSystem), ["ext2", "ext3", "ext4"].contains(content.type), let block = content.blockByteCount, block > 0 else { continue }
            let own = parts.filter { $0.volume == volume }
            guard let first = own.first else { continue }
            var blocks: [UInt64] = []
            for part in own {
                let end = part.volumeOffset + part.range.upperBound - part.range.lowerBound
                blocks += (part.volumeOffset / block..<(end + block - 1) / block).prefix(UnreadableText.countMax)
            }
            let numbers = blocks.prefix(UnreadableText.countMax).map { "\($0)" }.joined(separator: " ")
            let offset = first.range.lowerBound - first.volumeOffset
            hints.append("which inodes have them: debugfs -R 'icheck \(numbers)' '\(path)\(offset > 0 ? "?offset=\(offset)" : "")'; the names of an inode: ncheck instead of icheck")
        }
        return hints
    }
}
