import DiskLayout
import RepositoryFormat

/// Finds where the partitions and gaps of an image with a label come to stand.
struct LabelFitter {
    let newSectors: [LabelSectors]
    let partitions: [FittedImage.Partition]
    let gaps: [VolumePlacement]

    init(_ image: ImageRecord, _ options: FittingOptions) throws(RepositoryError) {
        let old: DiskLabel
        do throws(DiskLayoutError) { old = try DiskLabel(image.label) } catch {
            throw .invalid("the partition table of \(image.name) cannot be written for a disk of another size: \(error)")
        }
        var new = try LabelFitter.fit(old, image, options)
        if options.hasNewIDs { new.giveNewIDs() }
        let ranges = Dictionary(uniqueKeysWithValues: new.partitions.map { (UInt64($0.number), $0.range) })
        partitions = image.volumes.compactMap { volume in
            guard let stayed = FittedImage.Partition(volume), let range = ranges[stayed.number] else { return nil }
            return FittedImage.Partition(number: stayed.number, old: stayed.old, new: range, volume: volume)
        }.sorted { $0.new.lowerBound < $1.new.lowerBound }
        gaps = LabelFitter.gaps(image, end: LabelFitter.contentEnd(old, new, image, options), partitions)
        newSectors =
            switch new.kind {
            case .gpt: LabelWriter.gpt(new, byteCount: options.byteCount, sectorByteCount: options.sectorByteCount)
            // One that says the same is in the first gap.
            case .mbr: new == old ? [] : [LabelWriter.mbr(new, sectorByteCount: options.sectorByteCount)]
            }
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
            case .tooSmall(let needed): throw .invalid("the target has \(options.byteCount) bytes, and the partitions of \(image.name) need \(needed)")
            case .cannotMove(let number): throw .invalid("partition \(number) of \(image.name) does not fit at its place, with \(options.byteCount) bytes of the target, and partitions of an MBR are not moved")
            case .cannotResize(let number): throw .invalid("partition \(number) of \(image.name) is a logical or extended one, and these are not resized")
            }
        }
    }

    /// Up to where gaps are restored: a GPT's second copy lies behind, at the old end and at the new one.
    private static func contentEnd(_ old: DiskLabel, _ new: DiskLabel, _ image: ImageRecord, _ options: FittingOptions) -> UInt64 {
        guard old.kind == .gpt, let oldLast = old.lastUsableSector, let newLast = new.lastUsableSector else { return options.byteCount }
        return min((oldLast + 1) * UInt64(image.logicalSectorByteCount), (newLast + 1) * UInt64(options.sectorByteCount))
    }

    /// What lies between partitions stays at its place, as far as no partition stands there now.
    private static func gaps(_ image: ImageRecord, end: UInt64, _ partitions: [FittedImage.Partition]) -> [VolumePlacement] {
        var gaps: [VolumePlacement] = []
        for gap in image.placements where gap.volume.partition == nil {
            var start = gap.offset
            let gapEnd = min(gap.offset + gap.byteCount, end)
            func add(to limit: UInt64) {
                guard start < min(limit, gapEnd) else { return }
                gaps.append(
                    VolumePlacement(volume: gap.volume, offset: start, volumeOffset: gap.volumeOffset + start - gap.offset, byteCount: min(limit, gapEnd) - start))
            }
            for partition in partitions where partition.new.upperBound > start {
                add(to: partition.new.lowerBound)
                start = max(start, partition.new.upperBound)
            }
            add(to: gapEnd)
        }
        return gaps
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
