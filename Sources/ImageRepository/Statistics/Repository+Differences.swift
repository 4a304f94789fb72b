import Bytes
import Packing
import RepositoryFormat

extension Repository {
    /// How much of which image changed from one snapshot to another, by comparing maps; no data is read.
    ///
    /// Images pair by name. A changed chunk counts whole, or a changed block where parts of it are referred to, so the result is exact to a chunk.
    public func differences(from old: Snapshot, to new: Snapshot) throws(RepositoryError) -> [ImageDifference] {
        let reader = segmentReader(try loadIndex(adoptsOrphans: true).index)
        var differences: [ImageDifference] = []
        for image in new.manifest.images {
            guard let before = old.manifest.images.first(where: { $0.name == image.name }) else {
                differences.append(
                    ImageDifference(
                        image: image.name, kind: .added, oldByteCount: nil, newByteCount: image.byteCount, changedByteCount: image.byteCount,
                        changedRanges: image.byteCount > 0 ? [0..<image.byteCount] : []))
                continue
            }
            var comparison = MapComparison(reader)
            for (volume, place) in zip(image.volumes, image.volumes.indices) {
                let offset = volume.placements.first?.offset ?? 0
                try comparison.compare(before.volumes.indices.contains(place) ? before.volumes[place] : nil, volume, imageOffset: offset)
            }
            let isSame = comparison.changedByteCount == 0 && before.byteCount == image.byteCount
            differences.append(
                ImageDifference(
                    image: image.name, kind: isSame ? .same : .changed, oldByteCount: before.byteCount, newByteCount: image.byteCount,
                    changedByteCount: comparison.changedByteCount, changedRanges: comparison.ranges))
        }
        for image in old.manifest.images where !new.manifest.images.contains(where: { $0.name == image.name }) {
            differences.append(
                ImageDifference(
                    image: image.name, kind: .removed, oldByteCount: image.byteCount, newByteCount: nil, changedByteCount: 0, changedRanges: []))
        }
        return differences
    }
}

/// Compares two map trees side by side; what both share is not opened.
private struct MapComparison {
    private static let rangeCountMax = 10_000

    private let reader: SegmentReader
    private(set) var changedByteCount: UInt64 = 0
    private(set) var ranges: [Range<UInt64>] = []

    init(_ reader: SegmentReader) { self.reader = reader }

    mutating func compare(_ old: VolumeRecord?, _ new: VolumeRecord, imageOffset: UInt64) throws(RepositoryError) {
        guard let old else { return add(imageOffset..<imageOffset + new.byteCount) }
        let before = MapTreeReader(reader, root: old.root, geometry: old.geometry)
        let after = MapTreeReader(reader, root: new.root, geometry: new.geometry)
        let bandByteCount = UInt64(FormatLimits.bandByteCount)
        var band: UInt64 = 0
        while band < after.geometry.bandCount {
            let run = try after.run(at: band)
            let start = band * bandByteCount
            guard band < before.geometry.bandCount else {
                add(imageOffset + start..<imageOffset + new.byteCount)
                return
            }
            let known = try before.run(at: band)
            // Both runs go on at least this far.
            let count = min(run.firstBand + run.bandCount, known.firstBand + known.bandCount) - band
            let isSameSize = before.geometry.bandByteCount(band) == after.geometry.bandByteCount(band)
            if run.slot != known.slot || (count == 1 && !isSameSize) {
                if run.slot.kind.isUniform, known.slot.kind.isUniform {
                    if !isAllZero(run.slot.kind, known.slot.kind) { add(imageOffset + start..<imageOffset + min(start + count * bandByteCount, new.byteCount)) }
                } else {
                    for single in band..<band + count {
                        try compareBands(try before.bandMap(single).entries, try after.bandMap(single).entries, offset: imageOffset + single * bandByteCount)
                    }
                }
            }
            band += count
        }
    }

    private mutating func compareBands(_ old: [MapEntry], _ new: [MapEntry], offset: UInt64) throws(RepositoryError) {
        var (oldIndex, oldStart) = (0, 0)
        var start = 0
        for entry in new {
            let end = start + Int(entry.byteCount)
            var position = start
            while position < end {
                while oldIndex < old.count, oldStart + Int(old[oldIndex].byteCount) <= position {
                    oldStart += Int(old[oldIndex].byteCount)
                    oldIndex += 1
                }
                guard oldIndex < old.count else {
                    add(offset + UInt64(position)..<offset + UInt64(end))
                    break
                }
                let before = old[oldIndex]
                let pieceEnd = min(end, oldStart + Int(before.byteCount))
                let isSame =
                    if entry.kind == .data {
                        before.kind == .data && before.chunk == entry.chunk
                            && Int(before.chunkOffset) + position - oldStart == Int(entry.chunkOffset) + position - start
                    } else {
                        isAllZero(entry.kind, before.kind) || entry.kind == before.kind
                    }
                if !isSame { add(offset + UInt64(position)..<offset + UInt64(pieceEnd)) }
                position = pieceEnd
            }
            start = end
        }
    }

    /// Kinds that both read as known zeros.
    private func isAllZero(_ first: MapKind, _ second: MapKind) -> Bool {
        first == second || (first == .zero && second == .unused) || (first == .unused && second == .zero)
    }

    private mutating func add(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        changedByteCount += UInt64(range.count)
        if let last = ranges.last, last.upperBound == range.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else if ranges.count < MapComparison.rangeCountMax {
            ranges.append(range)
        }
    }
}
