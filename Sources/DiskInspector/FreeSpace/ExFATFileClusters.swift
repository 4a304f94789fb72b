import DiskLayout

/// Holds the clusters of all files against the bitmap of exFAT, which has no checksum.
struct ExFATFileClusters {
    let heap: ExFATHeap
    /// By the bitmap.
    let free: FreeMap
    /// Clusters have one owner each: whoever claims more goes round in circles.
    private var spareCount: UInt64
    private var folders: [Owner]

    private struct Owner {
        var first: UInt32
        /// Nil for the root folder, whose table tells.
        var byteCount: UInt64?
        /// The table says nothing then.
        var isContiguous = false
    }

    init(_ heap: ExFATHeap, rootCluster: UInt32, free: FreeMap) {
        self.heap = heap
        self.free = free
        spareCount = heap.clusterCount
        folders = [Owner(first: rootCluster)]
    }

    mutating func requireUsed() throws(InspectionFailure) {
        while let folder = folders.popLast() { try requireUsed(try clusters(of: folder)) }
    }

    /// Claims the clusters of somebody.
    private mutating func clusters(of owner: Owner) throws(InspectionFailure) -> [UInt32] {
        let count = owner.byteCount.map { ($0 + heap.clusterByteCount - 1) / heap.clusterByteCount }
        var clusters: [UInt32] = []
        var next = owner.first
        while count.map({ UInt64(clusters.count) < $0 }) ?? (next != .max) {
            try require(next >= 2 && UInt64(next) < heap.clusterCount + 2 && spareCount > 0, "a chain of clusters is broken")
            spareCount -= 1
            let offset = heap.offset(of: next)
            let isFree = free.range(endingAfter: offset).map { $0.lowerBound < offset + heap.clusterByteCount } ?? false
            try require(!isFree, "its bitmap calls free what a file has")
            clusters.append(next)
            next = owner.isContiguous ? next + 1 : try heap.next(next)
        }
        return clusters
    }

    /// Whom the entries of a folder name: what a set has besides its first entry may own clusters.
    private mutating func requireUsed(_ folder: [UInt32]) throws(InspectionFailure) {
        var isFolder = false
        for cluster in folder {
            for piece in stride(from: UInt64(0), to: heap.clusterByteCount, by: 65536) {
                let entries = try heap.volume.read(at: heap.offset(of: cluster) + piece, byteCount: Int(min(65536, heap.clusterByteCount - piece)))
                for at in stride(from: 0, to: entries.byteCount - 31, by: 32) {
                    let type = try entries.byte(at)
                    if type == 0 { return }
                    if type == 0x85 { isFolder = try entries.little16(at + 4) & 0x10 != 0 }
                    let flags = try entries.byte(at + 1)
                    let isTable = type == 0x81 || type == 0x82
                    guard isTable || (type & 0xC0 == 0xC0 && flags & 1 != 0) else { continue }
                    let owner = Owner(first: try entries.little32(at + 20), byteCount: try entries.little64(at + 24), isContiguous: !isTable && flags & 2 != 0)
                    guard let byteCount = owner.byteCount, byteCount > 0 else { continue }
                    try require(byteCount <= heap.clusterCount * heap.clusterByteCount, "a chain of clusters is broken")
                    if isFolder && type == 0xC0 { folders.append(owner) } else { _ = try clusters(of: owner) }
                }
            }
        }
    }
}
