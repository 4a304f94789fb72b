import DiskLayout
import RepositoryFormat

/// Finds where the partitions and gaps of an image with a label come to stand.
struct LabelFitter {
    let newSectors: [LabelSectors]
    let partitions: [FittedImage.Partition]
    let gaps: [VolumePlacement]

    init(_ image: ImageRecord, _ options: FittingOptions) throws(RepositoryError) {
        let old: DiskLabel
        do throws(DiskLayoutError) {
            old = try DiskLabel(image.label)
            try old.check(within: image.byteCount)
        } catch {
            throw .invalid("the partition table of \(image.name) cannot be written for a disk of another size: \(error)")
        }
        var new = try LabelFitter.fit(old, image, options)
        if options.hasNewIDs { new.giveNewIDs() }
        let ranges = Dictionary(uniqueKeysWithValues: new.partitions.map { (UInt64($0.number), $0.range) })
        partitions = image.volumes.compactMap { volume in
            guard let stayed = FittedImage.Partition(volume), let range = ranges[stayed.number] else { return nil }
            return FittedImage.Partition(number: stayed.number, old: stayed.old, new: range, volume: volume)
        }.sorted { $0.new.lowerBound < $1.new.lowerBound }
        let fitting = GapFitting(old, new, end: LabelFitter.contentEnd(old, new, image, options))
        gaps = image.placements.filter { $0.volume.partition == nil }.flatMap { gap in
            fitting.pieces(of: gap.offset..<gap.offset + gap.byteCount).map { piece in
                VolumePlacement(
                    volume: gap.volume, offset: piece.target, volumeOffset: gap.volumeOffset + (piece.source.lowerBound - gap.offset), byteCount: piece.source.upperBound - piece.source.lowerBound)
            }
        }
        newSectors =
            switch new.kind {
            case .gpt: LabelWriter.gpt(new, byteCount: options.byteCount, sectorByteCount: options.sectorByteCount)
            case .mbr: LabelFitter.mbrSectors(new, insteadOf: old, sectorByteCount: options.sectorByteCount)
            }
    }

    /// Tables that say the same are in the gaps.
    private static func mbrSectors(_ new: DiskLabel, insteadOf old: DiskLabel, sectorByteCount: UInt32) -> [LabelSectors] {
        guard new != old else { return [] }
        let first = [LabelWriter.mbr(new, sectorByteCount: sectorByteCount)]
        return new.hasLogicalPartitions(asIn: old) ? first : first + LabelWriter.logicalTables(new, sectorByteCount: sectorByteCount)
    }

    private static func fit(_ old: DiskLabel, _ image: ImageRecord, _ options: FittingOptions) throws(RepositoryError) -> DiskLabel {
        let sector = UInt64(options.sectorByteCount)
        if let partition = old.partitions.first(where: { $0.range.lowerBound % sector != 0 || $0.range.upperBound % sector != 0 }) {
            throw .invalid("partition \(partition.number) does not begin and end with sectors of \(sector) bytes, as the target has")
        }
        guard old.kind == .gpt || options.sectorByteCount == image.logicalSectorByteCount else {
            throw .invalid("an MBR of sectors of \(image.logicalSectorByteCount) bytes does not fit a target with sectors of \(sector)")
        }
        var sizes: [UInt32: PartitionSize] = [:]
        for resize in options.resizes {
            guard let number = UInt32(exactly: resize.partition), old.partition(number) != nil else { throw .invalid("\(image.name) has no partition \(resize.partition)") }
            guard sizes[number] == nil else { throw .invalid("partition \(number) of \(image.name) cannot be resized twice") }
            guard resize.byteCount != nil || !sizes.values.contains(.rest) else { throw .invalid("only one partition can take what the others leave") }
            sizes[number] = resize.byteCount.map { .bytes($0) } ?? .rest
        }
        do throws(LabelFittingError) { return try old.fitted(to: options.byteCount, sectorByteCount: options.sectorByteCount, sizes: sizes) } catch {
            switch error {
            case .tooSmall(let needed, let available) where available < options.byteCount / sector * sector:
                throw .invalid("an MBR names no more than \(available) of the \(options.byteCount) bytes of the target, and the partitions of \(image.name) need \(needed)")
            case .tooSmall(let needed, _): throw .invalid("the target has \(options.byteCount) bytes, and the partitions of \(image.name) need \(needed)")
            case .cannotResize(let number): throw .invalid("partition \(number) of \(image.name) is an extended one, which has the size that its logical ones need; resize one of these")
            }
        }
    }

    /// Up to where gaps are restored: a GPT's second copy lies behind, at the old end and at the new one.
    private static func contentEnd(_ old: DiskLabel, _ new: DiskLabel, _ image: ImageRecord, _ options: FittingOptions) -> UInt64 {
        guard old.kind == .gpt, let oldLast = old.lastUsableSector, let newLast = new.lastUsableSector else { return options.byteCount }
        return min((oldLast + 1) * UInt64(image.logicalSectorByteCount), (newLast + 1) * UInt64(options.sectorByteCount))
    }
}

extension DiskLabel {
    /// Of the disk and, in a GPT, of all partitions; those of an MBR are made of the disk's.
    fileprivate mutating func giveNewIDs() {
        switch kind {
        case .gpt:
            id = DiskLabel.randomGUID()
            for index in partitions.indices { partitions[index].id = DiskLabel.randomGUID() }
        case .mbr:
            let digits = String(UInt32.random(in: 1...UInt32.max), radix: 16)
            id = "0x" + String(repeating: "0", count: 8 - digits.count) + digits
        }
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
