public import DiskImages
package import DiskLayout
public import RepositoryFormat

/// A partition that gets another size.
public struct PartitionResize: Equatable, Sendable {
    public var partition: UInt64
    /// Nil for what the other partitions leave.
    public var byteCount: UInt64?

    public init(partition: UInt64, byteCount: UInt64? = nil) {
        self.partition = partition
        self.byteCount = byteCount
    }
}

/// How an image is to be laid out on its target.
public struct FittingOptions: Sendable {
    /// Of the target.
    public var byteCount: UInt64
    /// Of the target's sectors.
    public var sectorByteCount: UInt32
    /// Whether the disk and its partitions get new ids.
    public var hasNewIDs = false
    public var resizes: [PartitionResize] = []

    public init(byteCount: UInt64, sectorByteCount: UInt32) {
        self.byteCount = byteCount
        self.sectorByteCount = sectorByteCount
    }
}

/// An image as it is laid out on a disk of another size, or with another label, than the one it was read from.
public struct FittedImage: Sendable {
    /// A partition as it is on the source and on the target.
    public struct Partition: Sendable {
        public let number: UInt64
        public let old: Range<UInt64>
        public let new: Range<UInt64>
        public let volume: VolumeRecord

        init(number: UInt64, old: Range<UInt64>, new: Range<UInt64>, volume: VolumeRecord) {
            self.number = number
            self.old = old
            self.new = new
            self.volume = volume
        }

        /// A partition that stays as it is; nil for what is none.
        public init?(_ volume: VolumeRecord) {
            guard let number = volume.partition, let start = volume.placements.first?.offset else { return nil }
            let range = start..<start + volume.byteCount
            self.init(number: number, old: range, new: range, volume: volume)
        }

        public var isResized: Bool { old.upperBound - old.lowerBound != new.upperBound - new.lowerBound }
        public var isSmaller: Bool { new.upperBound - new.lowerBound < old.upperBound - old.lowerBound }
        public var hasMoved: Bool { old.lowerBound != new.lowerBound }
    }

    /// Of the target.
    public let byteCount: UInt64
    /// Of the target's sectors.
    public let sectorByteCount: UInt32
    /// Those that hold data, in the order in which they stand on the target.
    public let partitions: [Partition]
    /// Written behind all volumes; over what they have there.
    package private(set) var label: [LabelSectors]
    /// What stands on the target instead of a volume of the image.
    private(set) var inserts: [ImageInsert] = []
    private let gaps: [VolumePlacement]

    /// Whether the partition table is another than that of the source.
    public var writesLabel: Bool { !label.isEmpty }

    /// - Throws: `.invalid`, with numbers, for what does not fit or cannot be moved or resized.
    public init(_ image: ImageRecord, _ options: FittingOptions) throws(RepositoryError) {
        byteCount = options.byteCount
        sectorByteCount = options.sectorByteCount
        guard image.label != .null else {
            guard byteCount >= image.byteCount else { throw .invalid("the target has \(byteCount) bytes, and the image needs \(image.byteCount)") }
            guard !options.hasNewIDs else { throw .invalid("\(image.name) has no partition table, and so no ids that could be new") }
            guard options.resizes.isEmpty else { throw .invalid("\(image.name) has no partition table, and so no partition that could be resized") }
            (gaps, label, partitions) = (image.placements, [], [])
            return
        }
        let fitting = try LabelFitter(image, options)
        label = fitting.newSectors
        partitions = fitting.partitions
        gaps = fitting.gaps
    }

    /// Where volumes of the image come to stand.
    var placements: [VolumePlacement] {
        let replaced = Set(inserts.map(\.offset))
        return gaps + partitions.filter { !replaced.contains($0.new.lowerBound) }.map {
            VolumePlacement(volume: $0.volume, offset: $0.new.lowerBound, volumeOffset: 0, byteCount: min($0.volume.byteCount, $0.new.upperBound - $0.new.lowerBound))
        }
    }

    /// Tells file systems that moved where they are now, where they note it.
    ///
    /// - Parameter reader: the image, as it was on the source.
    public mutating func adaptBootSectors(_ reader: any ImageReader, sectorByteCount: UInt32) throws(RepositoryError) {
        label += try imaging { () throws(ImageError) in try MovedBootSectors.sectors(partitions, of: reader, sectorByteCount: sectorByteCount) }
    }

    /// Whether each partition that became smaller is replaced by what fits there.
    func requireWhole() throws(RepositoryError) {
        let replaced = Set(inserts.map(\.offset))
        if let cut = partitions.first(where: { $0.isSmaller && !replaced.contains($0.new.lowerBound) }) {
            throw .invalid("partition \(cut.number) would be cut off: its file system must become smaller first")
        }
    }

    /// Puts what `reader` reads onto the target instead of the partition's volume; it must not be larger than the partition is there.
    public mutating func replace(_ partition: Partition, with reader: any ImageReader) {
        precondition(reader.byteCount <= partition.new.upperBound - partition.new.lowerBound, "no larger than its place")
        inserts.append(ImageInsert(offset: partition.new.lowerBound, reader: reader))
    }
}

/// What stands on a target that does not come from the repository.
struct ImageInsert: Sendable {
    var offset: UInt64
    var reader: any ImageReader
}
