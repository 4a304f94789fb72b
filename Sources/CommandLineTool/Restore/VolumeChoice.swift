import DiskLayout
import ImageRepository
import RepositoryFormat

/// How a person names one volume of an image: a partition by its number or name, a gap by its place.
enum VolumeChoice {
    static let help = "Only this partition: its number or name; or gap1, gap2 … for what lies between them."

    /// - Returns: an image of that volume alone, and what to call it.
    static func part(of image: ImageRecord, named text: String) throws(Failure) -> (image: ImageRecord, name: String) {
        let (volume, name) = try find(text, in: image)
        return (image.only(volume), name)
    }

    static func find(_ text: String, in image: ImageRecord) throws(Failure) -> (volume: VolumeRecord, name: String) {
        if let number = UInt64(text), let volume = image.volumes.first(where: { $0.partition == number }) { return (volume, "partition \(number)") }
        if text.hasPrefix("gap"), let place = Int(text.dropFirst(3)), place > 0, let volume = image.volumes.filter({ $0.kind == .gap }).dropFirst(place - 1).first {
            return (volume, text)
        }
        let named = DiskLabel(ofImage: image.label)?.partitions.filter { $0.name == text && !text.isEmpty } ?? []
        guard named.count < 2 else { throw Failure("\(image.name) has \(named.count) partitions called “\(text)”; name one by its number, which “holdfast show” tells", status: .usage) }
        guard let partition = named.first, let volume = image.volumes.first(where: { $0.partition == UInt64(partition.number) }) else {
            throw Failure("\(image.name) has no partition “\(text)”; “holdfast show” tells which there are", status: .usage)
        }
        return (volume, "partition \(partition.number) (\(text))")
    }
}
