/// The logical partitions of an extended one, by how far from its start they stand. It moves as a whole, with the tables between them, unless one of them gets another size.
///
/// Each has a table of its own, of one sector: that of the first by number is the first sector of all, the others stand somewhere in front of their partitions.
struct ExtendedLayout {
    /// Of the extended one, in the label.
    let index: Int
    private(set) var byteCount: UInt64
    /// By their index in the label, in the order in which they stand.
    private var logicals: [(index: Int, range: Range<UInt64>)]
    /// The one that takes what the others leave.
    private var restPlace: Int?

    /// Nil if the label has none.
    ///
    /// - Parameter isTight: it ends with its last partition, whatever was free behind that.
    init?(_ label: DiskLabel, _ sizes: [UInt32: PartitionSize], sectorByteCount: UInt32, isTight: Bool) {
        guard let index = label.partitions.firstIndex(where: { $0.role == .extended }) else { return nil }
        let outer = label.partitions[index].range
        self.index = index
        byteCount = outer.upperBound - outer.lowerBound
        logicals = label.partitions.indices.filter { label.partitions[$0].role == .logical }.map { index in
            let range = label.partitions[index].range
            return (index, range.lowerBound - outer.lowerBound..<range.upperBound - outer.lowerBound)
        }.sorted { $0.range.lowerBound < $1.range.lowerBound }
        restPlace = logicals.firstIndex { sizes[label.partitions[$0.index].number] == .rest }
        let isResized = logicals.contains { sizes[label.partitions[$0.index].number] != nil }
        guard isTight || isResized, let oldEnd = logicals.last?.range.upperBound else { return }
        resize(sizes, label, UInt64(sectorByteCount))
        let end = logicals[logicals.count - 1].range.upperBound
        if isTight || restPlace != nil {
            byteCount = end
        } else {
            // It grows when what is free behind them is used up.
            byteCount = end > oldEnd ? max(byteCount, end) : byteCount - (oldEnd - end)
        }
    }

    /// It is aligned where its first partition is.
    var alignedOffset: UInt64 { logicals.first?.range.lowerBound ?? 0 }

    var takesRest: Bool { restPlace != nil }

    /// Gives the one that takes the rest what there is, in whole units of the alignment, so that those behind it are aligned as they were.
    mutating func grow(to byteCount: UInt64) {
        defer { self.byteCount = byteCount }
        guard let restPlace, byteCount > self.byteCount else { return }
        let growth = (byteCount - self.byteCount) / DiskLabel.alignment * DiskLabel.alignment
        for place in logicals.indices[restPlace...] {
            let range = logicals[place].range
            logicals[place].range = (place == restPlace ? range.lowerBound : range.lowerBound + growth)..<range.upperBound + growth
        }
    }

    /// Puts the logical partitions where they belong when the extended one begins at `start`.
    func place(at start: UInt64, in label: inout DiskLabel) {
        label.partitions[index].range = start..<start + byteCount
        for logical in logicals { label.partitions[logical.index].range = start + logical.range.lowerBound..<start + logical.range.upperBound }
    }

    /// Those behind one that gets another size keep their distances from it, but for what the alignment takes, and all have a free sector in front for a table.
    private mutating func resize(_ sizes: [UInt32: PartitionSize], _ label: DiskLabel, _ sector: UInt64) {
        let firstByNumber = label.partitions.firstIndex { $0.role == .logical }
        // The first sector is the first one's table, wherever that one stands.
        var end = logicals[0].index == firstByNumber ? 0 : sector
        var change: Int64 = 0
        for place in logicals.indices {
            let old = logicals[place].range
            let shift = DiskLabel.roundedUp(max(change, Int64(end + sector) - Int64(old.lowerBound)))
            let start = UInt64(Int64(old.lowerBound) + shift)
            let byteCount = DiskLabel.byteCount(sizes[label.partitions[logicals[place].index].number], instead: old.upperBound - old.lowerBound, sector)
            logicals[place].range = start..<start + byteCount
            end = start + byteCount
            change = Int64(end) - Int64(old.upperBound)
        }
    }
}

extension DiskLabel {
    /// To a multiple of the alignment, also below zero.
    fileprivate static func roundedUp(_ distance: Int64) -> Int64 {
        let unit = Int64(alignment)
        return distance > 0 ? (distance + unit - 1) / unit * unit : distance / unit * unit
    }
}
