public import Bytes
import RepositoryFormat

/// Bytes of an image of a snapshot that cannot be restored any more.
public struct LostRanges: Equatable, Sendable {
    public let snapshot: SnapshotID
    /// Name of the image; of an attachment, its kind and name.
    public let image: String
    /// Number of the volume in the image, from 0.
    public let volume: Int
    /// In bytes of the image, in order, joined.
    public let ranges: [Range<UInt64>]

    public var byteCount: UInt64 { ranges.reduce(0) { $0 + UInt64($1.count) } }
}

extension VolumeRecord {
    /// Where ranges of the volume, in order, stand in its image.
    func placed(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        var found: [Range<UInt64>] = []
        var start: UInt64 = 0
        for placement in placements {
            let end = start + placement.byteCount
            for range in ranges where range.lowerBound < end && range.upperBound > start {
                let lower = max(range.lowerBound, start) - start + placement.offset
                found.append(lower..<min(range.upperBound, end) - start + placement.offset)
            }
            start = end
        }
        return found.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { $0.join($1) }
    }
}

extension [Range<UInt64>] {
    /// Adds a range that begins at the end of the last, or after it.
    mutating func join(_ range: Range<UInt64>) {
        guard let last, last.upperBound >= range.lowerBound else { return append(range) }
        self[count - 1] = last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
    }
}
