/// Reads files of NTFS by the numbers of their records.
struct NTFSVolume {
    let volume: SourceWindow
    let clusterByteCount: UInt64
    let clusterCount: UInt64
    private let recordByteCount: Int
    let indexByteCount: Int
    private let table: [(start: UInt64?, count: UInt64)]
    private let tableByteCount: UInt64

    enum Number {
        static let logFile: UInt64 = 2
        static let volume: UInt64 = 3
        static let root: UInt64 = 5
        static let bitmap: UInt64 = 6
    }

    init(_ volume: SourceWindow) throws(InspectionFailure) {
        self.volume = volume
        let boot = try volume.read(at: 0, byteCount: 512)
        let sectorByteCount = UInt64(try boot.little16(11))
        let sectorsPerCluster = try boot.byte(13)
        try require(boot.holds("NTFS    ", at: 3) && [512, 1024, 2048, 4096].contains(sectorByteCount), "its boot sector makes no sense")
        // Above 128 it is a negative power of two.
        let clusterSectors: UInt64 = sectorsPerCluster <= 128 ? UInt64(sectorsPerCluster) : 1 << UInt64(min(63, 256 - Int(sectorsPerCluster)))
        try require(clusterSectors > 0 && clusterSectors & (clusterSectors - 1) == 0 && clusterSectors * sectorByteCount <= 2 << 20, "its boot sector makes no sense")
        clusterByteCount = clusterSectors * sectorByteCount
        let sectorCount = try boot.little64(40)
        try require(sectorCount <= volume.byteCount / sectorByteCount, "it is larger than its volume")
        clusterCount = sectorCount / clusterSectors
        recordByteCount = try NTFSVolume.byteCount(try boot.byte(64), clusterByteCount)
        indexByteCount = try NTFSVolume.byteCount(try boot.byte(68), clusterByteCount)

        let tableCluster = try boot.little64(48)
        try require(tableCluster < clusterCount, "its boot sector makes no sense")
        let first = try NTFSRecord(try volume.read(at: tableCluster * clusterByteCount, byteCount: recordByteCount), magic: "FILE")
        guard let data = try first.attribute(NTFSAttribute.data) else { throw .notProvable("its master file table cannot be found") }
        table = try data.runs(clusterCount: clusterCount)
        tableByteCount = try data.byteCounts().initialised
        try require(tableByteCount / clusterByteCount <= clusterCount && table.first?.start == tableCluster, "its master file table cannot be found")
    }

    /// In clusters, or the power of two of a negative number.
    private static func byteCount(_ stated: UInt8, _ clusterByteCount: UInt64) throws(InspectionFailure) -> Int {
        let byteCount = stated < 128 ? UInt64(stated) * clusterByteCount : 1 << UInt64(min(63, 256 - Int(stated)))
        try require(byteCount >= 512 && byteCount <= 65536 && byteCount & (byteCount - 1) == 0, "its boot sector makes no sense")
        return Int(byteCount)
    }

    func file(_ number: UInt64) throws(InspectionFailure) -> NTFSRecord {
        try require(number < 1 << 40, "a record of it cannot be found")
        let raw = try read(table, at: number * UInt64(recordByteCount), byteCount: recordByteCount)
        return try NTFSRecord(raw, magic: "FILE")
    }

    /// All records that are in use, further records of a file too.
    func forEachFile(_ body: (NTFSRecord) throws(InspectionFailure) -> Void) throws(InspectionFailure) {
        let pieceByteCountMax: UInt64 = 1 << 20
        for offset in stride(from: 0, to: tableByteCount / UInt64(recordByteCount) * UInt64(recordByteCount), by: Int(pieceByteCountMax)) {
            let piece = try read(table, at: offset, byteCount: Int(min(pieceByteCountMax, tableByteCount - offset)))
            for start in stride(from: 0, through: piece.byteCount - recordByteCount, by: recordByteCount) {
                // Others were never used.
                guard piece.holds("FILE", at: start), try piece.little16(start + 22) & 1 != 0 else { continue }
                try body(try NTFSRecord(Record(Array(try piece.slice(start, recordByteCount))), magic: "FILE"))
            }
        }
    }

    func attribute(_ type: UInt32, named name: String = "", of number: UInt64) throws(InspectionFailure) -> NTFSAttribute {
        guard let found = try file(number).attribute(type, named: name) else { throw .notProvable("a record of it is damaged") }
        return found
    }

    /// Bytes of a file by its runs; holes are zeros.
    func read(_ runs: [(start: UInt64?, count: UInt64)], at offset: UInt64, byteCount: Int) throws(InspectionFailure) -> Record {
        var bytes: [UInt8] = []
        var position: UInt64 = 0
        for run in runs where bytes.count < byteCount {
            let end = position + run.count * clusterByteCount
            let at = offset + UInt64(bytes.count)
            if at >= position, at < end {
                let count = min(UInt64(byteCount - bytes.count), end - at)
                if let start = run.start {
                    bytes += try volume.read(at: start * clusterByteCount + at - position, byteCount: Int(count)).bytes
                } else {
                    bytes += [UInt8](repeating: 0, count: Int(count))
                }
            }
            position = end
        }
        try require(bytes.count == byteCount, "a file of it ends too early")
        return Record(bytes)
    }

    /// The number of the file of that name in the root folder, in any case.
    ///
    /// All blocks of the index are looked at, not only those that its order would lead to.
    func fileInRoot(_ name: String) throws(InspectionFailure) -> UInt64? {
        let root = try attribute(NTFSAttribute.indexRoot, named: "$I30", of: Number.root).value()
        if let found = try entry(name, in: root, header: 16) { return found }
        guard let allocation = try file(Number.root).attribute(NTFSAttribute.indexAllocation, named: "$I30") else { return nil }
        let runs = try allocation.runs(clusterCount: clusterCount)
        let byteCount = try allocation.byteCounts().data
        try require(byteCount <= 64 << 20, "its root folder is too large")
        for offset in stride(from: UInt64(0), to: byteCount / UInt64(indexByteCount) * UInt64(indexByteCount), by: indexByteCount) {
            let raw = try read(runs, at: offset, byteCount: indexByteCount)
            // A block that was never used.
            if !raw.holds("INDX", at: 0) { continue }
            if let found = try entry(name, in: try NTFSRecord(raw, magic: "INDX").record, header: 24) { return found }
        }
        return nil
    }

    private func entry(_ name: String, in index: Record, header: Int) throws(InspectionFailure) -> UInt64? {
        var at = header + Int(try index.little32(header))
        while true {
            let (byteCount, flags) = (Int(try index.little16(at + 8)), try index.little16(at + 12))
            if flags & 2 != 0 { return nil }
            try require(byteCount >= 82, "its root folder is damaged")
            let found = try index.utf16(at + 16 + 66, Int(try index.byte(at + 16 + 64)))
            if found.lowercased() == name { return try index.little64(at) & 0xFFFF_FFFF_FFFF }
            at += byteCount
        }
    }
}
