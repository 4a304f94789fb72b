public import RepositoryFormat

/// A part of a volume that could not be read when its snapshot was made.
public struct UnreadablePart: Equatable, Sendable {
    /// In bytes of the image, or of the target that it was restored to.
    public let range: Range<UInt64>
    public let volume: VolumeRecord
    /// Of the first byte, within the volume.
    public let volumeOffset: UInt64
}

extension ImageRecord {
    /// Ranges of the image, cut where volumes meet.
    public func unreadableParts(_ ranges: [Range<UInt64>]) -> [UnreadablePart] { placements.unreadableParts(ranges) }
}

extension [VolumePlacement] {
    func unreadableParts(_ ranges: [Range<UInt64>]) -> [UnreadablePart] {
        ranges.flatMap { range in
            compactMap { place in
                let part = range.clamped(to: place.offset..<place.offset + place.byteCount)
                return part.isEmpty ? nil : UnreadablePart(range: part, volume: place.volume, volumeOffset: place.volumeOffset + part.lowerBound - place.offset)
            }
        }
    }
}

extension Repository {
    /// What could not be read of an image, as its maps tell; no data is read.
    public func unreadableParts(of image: ImageRecord) throws(RepositoryError) -> [UnreadablePart] {
        let reader = segmentReader(try loadIndex(adoptsOrphans: true).index)
        var parts: [UnreadablePart] = []
        for place in image.placements {
            let tree = MapTreeReader(reader, root: place.volume.root, geometry: place.volume.geometry)
            var ranges: [Range<UInt64>] = []
            try tree.forEachRun { run throws(RepositoryError) in
                guard run.slot.kind == .map || run.slot.kind == .unreadable else { return }
                for band in run.firstBand..<run.firstBand + run.bandCount {
                    var position = band * UInt64(FormatLimits.bandByteCount)
                    for entry in try tree.bandMap(band, run.slot).entries {
                        let end = position + UInt64(entry.byteCount)
                        if entry.kind == .unreadable { ranges.appendJoining(position..<end) }
                        position = end
                    }
                }
            }
            parts += [place].unreadableParts(ranges.map { $0.lowerBound + place.offset - place.volumeOffset..<$0.upperBound + place.offset - place.volumeOffset })
        }
        return parts
    }
}

extension [Range<UInt64>] {
    /// Makes one of two that meet.
    fileprivate mutating func appendJoining(_ range: Range<UInt64>) {
        if let last, last.upperBound == range.lowerBound { self[count - 1] = last.lowerBound..<range.upperBound } else { append(range) }
    }
}
