/// What reading a source brought to light.
struct FeedReport: Sendable {
    /// Ranges of the volume that could not be read, joined.
    var unreadable: [Range<UInt64>] = []
    var byteCount: UInt64 = 0
    var hasShrunk = false

    /// Adds that of a volume which begins at `offset` in the image, behind all before it.
    mutating func append(_ volume: FeedReport, at offset: UInt64) {
        for range in volume.unreadable { addUnreadable(offset + range.lowerBound..<offset + range.upperBound) }
        byteCount += volume.byteCount
        hasShrunk = hasShrunk || volume.hasShrunk
    }

    mutating func addUnreadable(_ range: Range<UInt64>) {
        if let last = unreadable.last, last.upperBound == range.lowerBound {
            unreadable[unreadable.count - 1] = last.lowerBound..<range.upperBound
        } else {
            unreadable.append(range)
        }
    }
}
