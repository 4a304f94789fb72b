import DiskLayout

/// Holds the clusters of all files against the bitmap: it has no checksum, and one that calls free what a file has is a fault nobody else notices in time.
struct NTFSFileClusters {
    let ntfs: NTFSVolume
    /// By the bitmap.
    let free: FreeMap

    /// Goes through the master file table once, in its order; what is more than one record's belongs to one of them each.
    func requireUsed() throws(InspectionFailure) {
        try ntfs.forEachFile { file throws(InspectionFailure) in
            try file.forEachAttribute { attribute throws(InspectionFailure) in
                guard try !attribute.isResident else { return }
                try attribute.forEachRun(clusterCount: ntfs.clusterCount) { start, count throws(InspectionFailure) in
                    guard let start else { return }
                    let range = start * ntfs.clusterByteCount..<(start + count) * ntfs.clusterByteCount
                    let isFree = free.range(endingAfter: range.lowerBound).map { $0.lowerBound < range.upperBound } ?? false
                    try require(!isFree, "its bitmap calls free what a file has")
                }
            }
        }
    }
}
