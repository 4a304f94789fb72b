import Bytes

/// What of an image is as it was at an earlier moment, as somebody tells who saw all writes since.
public struct ChangeMap: Equatable, Sendable {
    public enum Kind: String, Sendable {
        /// May hold anything.
        case data
        /// Reads as zeros.
        case zero
        /// Holds what it held at the earlier moment.
        case same
    }

    /// A range that begins where the one before it ends.
    public struct Extent: Equatable, Sendable {
        public var kind: Kind
        /// Exclusive, in bytes from the image's start.
        public var end: UInt64

        public init(kind: Kind, end: UInt64) { (self.kind, self.end) = (kind, end) }
    }

    /// In order; neighbours differ in their kind.
    public private(set) var extents: [Extent] = []
    private let extentCountMax: Int

    /// - Parameter extentCountMax: of more, the shortest that are the same count as data.
    public init(extentCountMax: Int = 1 << 22) { self.extentCountMax = extentCountMax }

    /// Of the image that it describes.
    public var byteCount: UInt64 { extents.last?.end ?? 0 }

    public mutating func append(_ kind: Kind, byteCount: UInt64) {
        guard byteCount > 0 else { return }
        push(Extent(kind: kind, end: self.byteCount + byteCount))
        var shortest: UInt64 = 1 << 16
        while extents.count > extentCountMax {
            coarsen(below: shortest)
            shortest *= 2
        }
    }

    private mutating func push(_ extent: Extent) {
        if let last = extents.last, last.kind == extent.kind { extents.removeLast() }
        extents.append(extent)
    }

    /// Has everything shorter read: a longer map would cost more than it spares.
    private mutating func coarsen(below byteCount: UInt64) {
        let fine = extents
        extents.removeAll(keepingCapacity: true)
        var start: UInt64 = 0
        for extent in fine {
            push(extent.end - start < byteCount ? Extent(kind: .data, end: extent.end) : extent)
            start = extent.end
        }
    }

    /// The extent that holds the byte at `offset`, which lies within the image.
    ///
    /// - Complexity: logarithmic.
    public func extent(at offset: UInt64) -> Extent { extents[extents.partitionPoint { $0.end > offset }] }

    /// Whether all of a range is the same.
    public func isSame(_ range: Range<UInt64>) -> Bool {
        guard range.upperBound <= byteCount, !range.isEmpty else { return false }
        let extent = extent(at: range.lowerBound)
        return extent.kind == .same && extent.end >= range.upperBound
    }

    /// The ranges of a kind, in order.
    public func ranges(of kind: Kind) -> [Range<UInt64>] {
        var start: UInt64 = 0
        var ranges: [Range<UInt64>] = []
        for extent in extents {
            if extent.kind == kind { ranges.append(start..<extent.end) }
            start = extent.end
        }
        return ranges
    }
}

/// Who tells what changed in an image, and since when.
public struct ChangeTracking: Sendable {
    public enum Kind: String, Sendable {
        /// A file with ranges.
        case map
        /// A dirty bitmap of QEMU.
        case bitmap = "qemu-bitmap"
    }

    public var kind: Kind
    /// What is tracked: it must be the same from backup to backup.
    public var id: String
    /// The earlier moment from which `map` tells; nil if there is none.
    public var since: String?
    /// The moment of this image, from which a later map can tell; nil if none will.
    public var generation: String?
    /// Nil if there is none; `reason` says why.
    public var map: ChangeMap?
    public var reason: String?

    public init(kind: Kind, id: String, since: String?, generation: String?, map: ChangeMap?, reason: String? = nil) {
        self.kind = kind
        self.id = id
        self.since = since
        self.generation = generation
        self.map = map
        self.reason = reason
    }
}
