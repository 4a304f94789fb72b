/// Holds a FAT's boot sector against its folders: nothing else shows that clusters are where it says, since it has no checksum.
extension FATFreeSpace {
    private static let entryByteCount = 32
    private static let checkedCountMax = 64
    private static let topFolderByteCountMax: UInt64 = 1 << 20

    /// Each folder begins with an entry for itself, and those in the top folder are looked at.
    func requireFoldersInPlace() throws(InspectionFailure) {
        let top = try volume.read(at: topFolder.lowerBound, byteCount: Int(min(topFolder.upperBound - topFolder.lowerBound, FATFreeSpace.topFolderByteCountMax)))
        var checkedCount = 0
        for place in stride(from: 0, to: top.byteCount - FATFreeSpace.entryByteCount + 1, by: FATFreeSpace.entryByteCount) {
            let (first, attributes) = (try top.byte(place), try top.byte(place + 11))
            // No more entries.
            if first == 0 || checkedCount == FATFreeSpace.checkedCountMax { return }
            // A deleted one; parts of a long name and the volume's name have bit 3.
            if first == 0xE5 || attributes & 0x08 != 0 || attributes & 0x10 == 0 { continue }
            let high = width == .thirtyTwo ? UInt64(try top.little16(place + 20)) : 0
            let cluster = high << 16 | UInt64(try top.little16(place + 26))
            try require(cluster >= 2 && cluster - 2 < clusterCount, "a folder lies behind its end")
            let own = try volume.read(at: dataOffset + (cluster - 2) * clusterByteCount, byteCount: FATFreeSpace.entryByteCount)
            try require(own.holds(".          ", at: 0), "a folder is not where its boot sector says")
            checkedCount += 1
        }
    }
}
