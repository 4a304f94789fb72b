/// A range of a file or device. What is written there changes what everybody sees who has the same range, however he came to it.
struct MediumExtent {
    var medium: Medium
    /// Bytes.
    var range: Range<UInt64>

    func overlaps(_ other: MediumExtent) -> Bool { medium == other.medium && range.overlaps(other.range) }
}

extension Medium {
    /// How many devices may stand on each other; more are a circle.
    private static let depthMax = 32

    /// Where its bytes are: itself, and for a partition or loop device what it shows a part of, down to a disk or file. What a mapped device is made of is not followed.
    func extents() throws(ImageError) -> [MediumExtent] {
        var extents = [MediumExtent(medium: self, range: try wholeRange())]
        while extents.count < Medium.depthMax, let below = try extents[extents.count - 1].below() { extents.append(below) }
        return extents
    }

    /// Whether a byte of one is also a byte of the other.
    func overlaps(_ other: Medium) throws(ImageError) -> Bool {
        let others = try other.extents()
        return try extents().contains { extent in others.contains(where: extent.overlaps) }
    }

    private func wholeRange() throws(ImageError) -> Range<UInt64> {
        guard case .device(let number) = self, let byteCount = try BlockDevice(number: number).byteCount() else { return 0..<UInt64.max }
        return 0..<byteCount
    }
}

extension MediumExtent {
    fileprivate func below() throws(ImageError) -> MediumExtent? {
        guard case .device(let number) = medium else { return nil }
        let device = BlockDevice(number: number)
        if let disk = try device.wholeDisk() { return moved(to: .device(disk.number), by: (try device.startSector() ?? 0) * 512) }
        guard let backing = try Medium.behind(device) else { return nil }
        return moved(to: backing, by: try device.backingOffset())
    }

    private func moved(to other: Medium, by distance: UInt64) -> MediumExtent {
        func shifted(_ place: UInt64) -> UInt64 { place.addingReportingOverflow(distance).overflow ? .max : place + distance }
        return MediumExtent(medium: other, range: shifted(range.lowerBound)..<shifted(range.upperBound))
    }
}
