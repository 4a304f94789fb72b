import DiskLayout

/// What a file system does not use.
struct FreeSpace {
    var map: FreeMap
    /// Parts that count as used because they could not be believed.
    var warnings: [String] = []

    /// Nil for file systems whose free space is not looked for.
    ///
    /// - Parameter skipsPageFiles: whether page files and images of hibernated systems are unused too.
    /// - Throws: where nothing can be believed.
    static func find(in volume: SourceWindow, type: String, skipsPageFiles: Bool) throws(InspectionFailure) -> FreeSpace? {
        switch type {
        case "ext2", "ext3", "ext4": try ExtFreeSpace.find(in: volume)
        case "exfat": try ExFATFreeSpace.find(in: volume)
        case "ntfs": try NTFSFreeSpace.find(in: volume, skipsPageFiles: skipsPageFiles)
        case "swap": try SwapFreeSpace.find(in: volume, word: "SWAPSPACE2")
        case "swsuspend" where skipsPageFiles: try SwapFreeSpace.find(in: volume, word: "S1SUSPEND\0")
        case "vfat": try FATFreeSpace.find(in: volume)
        case "xfs": try XFSFreeSpace.find(in: volume)
        default: nil
        }
    }
}
