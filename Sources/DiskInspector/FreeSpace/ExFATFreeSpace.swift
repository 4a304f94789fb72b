import DiskLayout

/// Finds the free clusters of exFAT by its allocation bitmap, and holds its files against it.
///
/// Layout: “exFAT file system specification”, Microsoft, 2019.
struct ExFATFreeSpace {
    private let volume: SourceWindow
    private let heap: ExFATHeap
    private let heapOffset: UInt64
    private let clusterCount: UInt64
    private let clusterByteCount: UInt64
    private let rootCluster: UInt32

    static func find(in volume: SourceWindow) throws(InspectionFailure) -> FreeSpace {
        let search = try ExFATFreeSpace(volume)
        let map = try search.search()
        var files = ExFATFileClusters(search.heap, rootCluster: search.rootCluster, free: map)
        try files.requireUsed()
        return FreeSpace(map: map)
    }

    private init(_ volume: SourceWindow) throws(InspectionFailure) {
        self.volume = volume
        let boot = try volume.read(at: 0, byteCount: 512)
        let (sectorShift, clusterShift) = (Int(try boot.byte(108)), Int(try boot.byte(109)))
        try require(boot.holds("EXFAT   ", at: 3) && (9...12).contains(sectorShift) && sectorShift + clusterShift <= 25, "its boot sector makes no sense")
        let sectorByteCount: UInt64 = 1 << sectorShift
        try ExFATFreeSpace.requireChecksum(volume, Int(sectorByteCount))
        let flags = try boot.little16(106)
        try require(flags & 0x2 == 0, "it is mounted, or was not unmounted")
        try require(flags & 0x4 == 0, "it has met errors of the medium")
        // Two tables and bitmaps are for transactions, which nobody else implements.
        try require(try boot.byte(110) == 1 && flags & 0x1 == 0, "it has two tables")
        let sectorCount = try boot.little64(72)
        let tableSectorCount = UInt64(try boot.little32(84))
        clusterCount = UInt64(try boot.little32(92))
        clusterByteCount = sectorByteCount << clusterShift
        let tableOffset = UInt64(try boot.little32(80)) * sectorByteCount
        heapOffset = UInt64(try boot.little32(88)) * sectorByteCount
        rootCluster = try boot.little32(96)
        try require(
            sectorCount <= volume.byteCount / sectorByteCount && clusterCount > 0 && clusterCount <= 0xFFFF_FFF5
                && heapOffset + clusterCount * clusterByteCount <= sectorCount * sectorByteCount && tableOffset + tableSectorCount * sectorByteCount <= heapOffset
                && (clusterCount + 2) * 4 <= tableSectorCount * sectorByteCount,
            "its boot sector makes no sense")
        heap = ExFATHeap(volume, tableOffset: tableOffset, heapOffset: heapOffset, clusterCount: clusterCount, clusterByteCount: clusterByteCount)
    }

    /// Of the first eleven sectors, without what changes while mounted; repeated all over the twelfth.
    private static func requireChecksum(_ volume: SourceWindow, _ sectorByteCount: Int) throws(InspectionFailure) {
        let region = try volume.read(at: 0, byteCount: 12 * sectorByteCount)
        var checksum: UInt32 = 0
        for (index, byte) in region.bytes[..<(11 * sectorByteCount)].enumerated() where index != 106 && index != 107 && index != 112 {
            checksum = (checksum << 31 | checksum >> 1) &+ UInt32(byte)
        }
        try require(try region.little32(11 * sectorByteCount) == checksum, "the checksum of its boot sectors is wrong")
    }

    private func search() throws(InspectionFailure) -> FreeMap {
        let bitmap = try findBitmap()
        try require(bitmap.byteCount >= (clusterCount + 7) / 8, "its bitmap is too small")
        var builder = FreeMapBuilder(volumeByteCount: volume.byteCount)
        var done: UInt64 = 0
        for cluster in try chain(from: bitmap.cluster, byteCount: (clusterCount + 7) / 8) {
            let bitCount = min(clusterCount - done, 8 * clusterByteCount)
            // Clusters may be larger than what is read at once.
            var part: UInt64 = 0
            while part < bitCount {
                let partBitCount = min(bitCount - part, 8 << 20)
                let bits = try volume.read(at: heap.offset(of: cluster) + part / 8, byteCount: Int((partBitCount + 7) / 8))
                for run in BitmapRuns.clear(in: bits.bytes.span, bitCount: Int(partBitCount)) {
                    let first = done + part
                    let range = heapOffset + (first + UInt64(run.lowerBound)) * clusterByteCount..<heapOffset + (first + UInt64(run.upperBound)) * clusterByteCount
                    try require(builder.add(range), "its clusters lie behind its end")
                }
                part += partBitCount
            }
            done += bitCount
        }
        return builder.finish()
    }

    /// The entry of the allocation bitmap stands in the root folder.
    private func findBitmap() throws(InspectionFailure) -> (cluster: UInt32, byteCount: UInt64) {
        // The folder's length is nowhere stated; a bitmap is at its beginning in all that exists.
        let byteCountMax = min(clusterCount * clusterByteCount, 32 << 20)
        for cluster in try chain(from: rootCluster, byteCount: byteCountMax, mayEnd: true) {
            for piece in stride(from: UInt64(0), to: clusterByteCount, by: 65536) {
                let entries = try volume.read(at: heap.offset(of: cluster) + piece, byteCount: Int(min(65536, clusterByteCount - piece)))
                for at in stride(from: 0, to: entries.byteCount - 31, by: 32) {
                    let type = try entries.byte(at)
                    try require(type != 0, "its bitmap cannot be found")
                    guard type == 0x81 else { continue }
                    try require(try entries.byte(at + 1) & 1 == 0, "it has two bitmaps")
                    return (try entries.little32(at + 20), try entries.little64(at + 24))
                }
            }
        }
        throw .notProvable("its bitmap cannot be found")
    }

    /// The clusters of so many bytes, by the table.
    private func chain(from first: UInt32, byteCount: UInt64, mayEnd: Bool = false) throws(InspectionFailure) -> [UInt32] {
        let count = (byteCount + clusterByteCount - 1) / clusterByteCount
        var clusters: [UInt32] = []
        var next = first
        while UInt64(clusters.count) < count {
            if mayEnd, next == .max { return clusters }
            try require(next >= 2 && UInt64(next) < clusterCount + 2, "a chain of clusters is broken")
            clusters.append(next)
            next = try heap.next(next)
        }
        return clusters
    }
}
