import DiskLayout

/// Finds the free clusters of FAT12, FAT16 and FAT32: those that every copy of the table calls free.
///
/// Layout: “Microsoft Extensible Firmware Initiative FAT32 File System Specification”, 1.03.
struct FATFreeSpace {
    enum Width: Int {
        case twelve = 12
        case sixteen = 16
        case thirtyTwo = 32
    }

    let volume: SourceWindow
    let width: Width
    private let tableCount: UInt64
    private let tableOffset: UInt64
    private let tableByteCount: UInt64
    let dataOffset: UInt64
    let clusterByteCount: UInt64
    let clusterCount: UInt64
    /// What of the top folder lies in one piece, in bytes of the volume.
    let topFolder: Range<UInt64>
    /// Linux notes here that it is mounted.
    private let stateByte: UInt8
    private let mediaByte: UInt8

    static func find(in volume: SourceWindow) throws(InspectionFailure) -> FreeSpace {
        let search = try FATFreeSpace(volume)
        let map = try search.search()
        try search.requireFoldersInPlace()
        return FreeSpace(map: map)
    }

    private init(_ volume: SourceWindow) throws(InspectionFailure) {
        self.volume = volume
        let boot = try volume.read(at: 0, byteCount: 512)
        let sectorByteCount = UInt64(try boot.little16(11))
        let sectorsPerCluster = UInt64(try boot.byte(13))
        let reservedCount = UInt64(try boot.little16(14))
        tableCount = UInt64(try boot.byte(16))
        let rootEntryCount = UInt64(try boot.little16(17))
        let (sectors16, sectors32) = (UInt64(try boot.little16(19)), UInt64(try boot.little32(32)))
        let (tableSectors16, tableSectors32) = (UInt64(try boot.little16(22)), UInt64(try boot.little32(36)))
        let sectorCount = sectors16 != 0 ? sectors16 : sectors32
        let tableSectorCount = tableSectors16 != 0 ? tableSectors16 : tableSectors32
        try require(
            [512, 1024, 2048, 4096].contains(sectorByteCount) && sectorsPerCluster > 0 && sectorsPerCluster & (sectorsPerCluster - 1) == 0 && reservedCount > 0
                && (1...2).contains(tableCount) && tableSectorCount > 0 && sectorCount * sectorByteCount <= volume.byteCount,
            "its boot sector makes no sense")
        tableOffset = reservedCount * sectorByteCount
        tableByteCount = tableSectorCount * sectorByteCount
        let rootSectorCount = (rootEntryCount * 32 + sectorByteCount - 1) / sectorByteCount
        let firstDataSector = reservedCount + tableCount * tableSectorCount + rootSectorCount
        try require(firstDataSector < sectorCount, "its boot sector makes no sense")
        dataOffset = firstDataSector * sectorByteCount
        clusterByteCount = sectorsPerCluster * sectorByteCount
        clusterCount = (sectorCount - firstDataSector) / sectorsPerCluster
        let topCluster = UInt64(try boot.little32(44))
        if rootEntryCount > 0 {
            topFolder = dataOffset - rootSectorCount * sectorByteCount..<dataOffset
        } else {
            try require(topCluster >= 2 && topCluster - 2 < clusterCount, "its boot sector makes no sense")
            topFolder = dataOffset + (topCluster - 2) * clusterByteCount..<dataOffset + (topCluster - 1) * clusterByteCount
        }
        width = tableSectors16 == 0 ? .thirtyTwo : clusterCount < 4085 ? .twelve : .sixteen
        // Where drivers do not agree what the width is, nothing is free.
        try require(
            width == .thirtyTwo ? (rootEntryCount == 0 && clusterCount < 0x0FFF_FFF5) : (rootEntryCount > 0 && clusterCount < 65525), "its number of clusters makes no sense")
        try require((clusterCount + 2) * UInt64(width.rawValue) <= 8 * tableByteCount, "its table is too small")
        if width == .thirtyTwo {
            // Bit 7: the tables are not copies of each other.
            let (flags, version) = (try boot.little16(40), try boot.little16(42))
            try require(flags & 0x80 == 0 && version == 0, "its tables are not copies of each other")
        }
        // Nobody reads this name, but who wrote it meant it.
        let name = width == .thirtyTwo ? 82 : 54
        try require(boot.holds("FAT\(width.rawValue)", at: name) || boot.holds("FAT  ", at: name), "its number of clusters does not fit its name")
        stateByte = try boot.byte(width == .thirtyTwo ? 65 : 37)
        mediaByte = try boot.byte(21)
    }

    private func search() throws(InspectionFailure) -> FreeMap {
        try require(stateByte & 0x03 == 0, "it is mounted, or was not unmounted, or needs a check")
        var builder = FreeMapBuilder(volumeByteCount: volume.byteCount)
        // A multiple of 12 bits, 16 and 32.
        let pieceByteCount: UInt64 = 768 << 10
        let entriesPerPiece = pieceByteCount * 8 / UInt64(width.rawValue)
        var cluster: UInt64 = 0
        while cluster < clusterCount + 2 {
            let offset = cluster / entriesPerPiece * pieceByteCount
            var tables: [Record] = []
            for table in 0..<tableCount {
                tables.append(try volume.read(at: tableOffset + table * tableByteCount + offset, byteCount: Int(min(pieceByteCount, tableByteCount - offset))))
            }
            if cluster == 0 {
                for table in tables { try requireBegin(table) }
                try requireUnmounted(tables[0])
            }
            let end = min(clusterCount + 2, cluster + entriesPerPiece)
            try search(tables, first: cluster, end: end, &builder)
            cluster = end
        }
        return builder.finish()
    }

    /// The first entry repeats the medium of the boot sector: without checksums nothing else tells that the table is where the boot sector says.
    private func requireBegin(_ table: Record) throws(InspectionFailure) {
        let (first, ones): (UInt32, UInt32) =
            switch width {
            case .twelve: (UInt32(try table.little16(0)) & 0xFFF, 0xF00)
            case .sixteen: (UInt32(try table.little16(0)), 0xFF00)
            case .thirtyTwo: (try table.little32(0) & 0x0FFF_FFFF, 0x0FFF_FF00)
            }
        try require(first == ones | UInt32(mediaByte), "its table does not begin like one")
    }

    /// The second entry tells that it was unmounted, and that no errors were met.
    private func requireUnmounted(_ table: Record) throws(InspectionFailure) {
        let isSound =
            switch width {
            case .twelve: true
            case .sixteen: try table.little16(2) & 0xC000 == 0xC000
            case .thirtyTwo: try table.little32(4) & 0x0C00_0000 == 0x0C00_0000
            }
        try require(isSound, "it is mounted, or was not unmounted, or needs a check")
    }

    private func search(_ tables: [Record], first: UInt64, end: UInt64, _ builder: inout FreeMapBuilder) throws(InspectionFailure) {
        // What any copy calls used is used.
        var table = tables[0].bytes
        for other in tables.dropFirst() { for index in table.indices { table[index] |= other.bytes[index] } }
        var start: UInt64?
        for cluster in first..<end {
            let isFree = cluster >= 2 && FATFreeSpace.isFree(Int(cluster - first), in: table.span, width)
            if isFree, start == nil { start = cluster }
            if !isFree, let free = start {
                try add(free..<cluster, &builder)
                start = nil
            }
        }
        if let free = start { try add(free..<end, &builder) }
    }

    private func add(_ clusters: Range<UInt64>, _ builder: inout FreeMapBuilder) throws(InspectionFailure) {
        let range = dataOffset + (clusters.lowerBound - 2) * clusterByteCount..<dataOffset + (clusters.upperBound - 2) * clusterByteCount
        try require(builder.add(range), "its clusters lie behind its end")
    }

    /// The top four bits of 32 mean nothing, but nobody sets them in a free entry.
    private static func isFree(_ entry: Int, in table: Span<UInt8>, _ width: Width) -> Bool {
        switch width {
        case .twelve:
            let pair = UInt16(table[entry * 3 / 2]) | UInt16(table[entry * 3 / 2 + 1]) << 8
            return (entry & 1 == 0 ? pair & 0xFFF : pair >> 4) == 0
        case .sixteen: return table[2 * entry] | table[2 * entry + 1] == 0
        case .thirtyTwo: return table[4 * entry] | table[4 * entry + 1] | table[4 * entry + 2] | table[4 * entry + 3] == 0
        }
    }
}
