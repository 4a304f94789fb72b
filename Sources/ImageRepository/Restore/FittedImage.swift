package import DiskLayout
public import RepositoryFormat

/// An image as it is laid out on a disk of another size, or with another label, than the one it was read from.
public struct FittedImage: Sendable {
    /// Of the target.
    public let byteCount: UInt64
    let placements: [VolumePlacement]
    /// Written behind all volumes; over what they have there.
    package let label: [LabelSectors]
    /// Partitions that come to stand elsewhere, by number, with their first bytes before and after.
    public let moves: [(partition: UInt64, from: UInt64, to: UInt64)]

    /// Whether the partition table is another than that of the source.
    public var writesLabel: Bool { !label.isEmpty }

    /// - Parameters:
    ///   - byteCount: of the target.
    ///   - sectorByteCount: of the target.
    ///   - hasNewIDs: whether the disk and its partitions get new ids.
    /// - Throws: `.invalid`, with numbers, for what does not fit or cannot be moved.
    public init(_ image: ImageRecord, byteCount: UInt64, sectorByteCount: UInt32, hasNewIDs: Bool) throws(RepositoryError) {
        self.byteCount = byteCount
        guard image.label != .null else {
            guard byteCount >= image.byteCount else { throw .invalid("the target has \(byteCount) bytes, and the image needs \(image.byteCount)") }
            guard !hasNewIDs else { throw .invalid("\(image.name) has no partition table, and so no ids that could be new") }
            (placements, label, moves) = (image.placements, [], [])
            return
        }
        let old: DiskLabel
        do throws(DiskLayoutError) { old = try DiskLabel(image.label) } catch {
            throw .invalid("the partition table of \(image.name) cannot be written for a disk of another size: \(error)")
        }
        var new = try FittedImage.fit(old, image, byteCount, sectorByteCount)
        if hasNewIDs {
            guard new.kind == .gpt else { throw .invalid("\(image.name) has an MBR; new ids are for a GPT") }
            new.id = FittedImage.randomGUID()
            for index in new.partitions.indices { new.partitions[index].id = FittedImage.randomGUID() }
        }
        let starts = Dictionary(uniqueKeysWithValues: new.partitions.map { (UInt64($0.number), $0.range.lowerBound) })
        moves = image.volumes.compactMap { volume in
            guard let number = volume.partition, let from = volume.placements.first?.offset, let to = starts[number], from != to else { return nil }
            return (number, from, to)
        }
        let end = FittedImage.contentEnd(old, new, image, byteCount, sectorByteCount)
        let hasMoved = !moves.isEmpty
        let firstStart = new.partitions.map(\.range.lowerBound).min() ?? end
        placements = image.placements.compactMap { place in
            var place = place
            if let number = place.volume.partition {
                guard let start = starts[number] else { return nil }
                place.offset = start + place.volumeOffset
                return place
            }
            // Boot code lies before the first partition. What lies between others stays only where nothing moves.
            guard place.offset == 0 || !hasMoved else { return nil }
            let limit = place.offset == 0 ? min(firstStart, end) : end
            guard place.offset < limit else { return nil }
            place.byteCount = min(place.byteCount, limit - place.offset)
            return place
        }
        label = new.kind == .gpt ? LabelWriter.gpt(new, byteCount: byteCount, sectorByteCount: sectorByteCount) : []
    }

    private static func fit(_ old: DiskLabel, _ image: ImageRecord, _ byteCount: UInt64, _ sectorByteCount: UInt32) throws(RepositoryError) -> DiskLabel {
        let sector = UInt64(sectorByteCount)
        if let partition = old.partitions.first(where: { $0.range.lowerBound % sector != 0 || $0.range.upperBound % sector != 0 }) {
            throw .invalid("partition \(partition.number) does not begin and end with sectors of \(sector) bytes, as the target has")
        }
        guard old.kind == .gpt || sectorByteCount == image.logicalSectorByteCount else {
            throw .invalid("an MBR of sectors of \(image.logicalSectorByteCount) bytes does not fit a target with sectors of \(sector)")
        }
        do throws(LabelFittingError) { return try old.fitted(to: byteCount, sectorByteCount: sectorByteCount) } catch {
            switch error {
            case .tooSmall(let needed): throw .invalid("the target has \(byteCount) bytes, and the partitions of \(image.name) need \(needed)")
            case .cannotMove(let number): throw .invalid("partition \(number) of \(image.name) ends behind the target's \(byteCount) bytes, and partitions of an MBR are not moved")
            }
        }
    }

    /// Up to where gaps are restored: a GPT's second copy lies behind, at the old end and at the new one.
    private static func contentEnd(_ old: DiskLabel, _ new: DiskLabel, _ image: ImageRecord, _ byteCount: UInt64, _ sectorByteCount: UInt32) -> UInt64 {
        guard old.kind == .gpt, let oldLast = old.lastUsableSector, let newLast = new.lastUsableSector else { return byteCount }
        return min((oldLast + 1) * UInt64(image.logicalSectorByteCount), (newLast + 1) * UInt64(sectorByteCount))
    }

    /// Version 4, RFC 9562.
    private static func randomGUID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) }.joined()
        var text = ""
        for (place, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(place) { text += "-" }
            text.append(digit)
        }
        return text
    }
}
