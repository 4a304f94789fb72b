import DiskLayout

/// Finds the free clusters of an NTFS that has nothing left to be written.
struct NTFSFreeSpace {
    private let ntfs: NTFSVolume

    static func find(in volume: SourceWindow, skipsPageFiles: Bool) throws(InspectionFailure) -> FreeSpace {
        let search = NTFSFreeSpace(ntfs: try NTFSVolume(volume))
        try search.requireClean()
        try search.requireLogClean()
        try search.requireNotHibernated()
        let map = try search.search(besides: [])
        try NTFSFileClusters(ntfs: search.ntfs, free: map).requireUsed()
        return FreeSpace(map: skipsPageFiles ? try search.search(besides: try search.pageFiles()) : map)
    }

    /// What Windows makes anew when it starts: page files, and the place for a hibernated system, which is empty here. In order of their places.
    private func pageFiles() throws(InspectionFailure) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        for name in ["pagefile.sys", "swapfile.sys", "hiberfil.sys"] {
            guard let number = try ntfs.fileInRoot(name), let data = try ntfs.file(number).attribute(NTFSAttribute.data), try !data.isResident, try data.isPlain else { continue }
            for run in try data.runs(clusterCount: ntfs.clusterCount) {
                if let start = run.start { ranges.append(start * ntfs.clusterByteCount..<(start + run.count) * ntfs.clusterByteCount) }
            }
        }
        return ranges.sorted { $0.lowerBound < $1.lowerBound }
    }

    private func requireClean() throws(InspectionFailure) {
        let information = try ntfs.attribute(NTFSAttribute.volumeInformation, of: NTFSVolume.Number.volume).value()
        try require(try information.byte(8) == 3, "it is of an unknown version")
        // All but 0x8000, which notes that a check has run.
        try require(try information.little16(10) & 0x7fff == 0, "it is mounted, or was not unmounted, or needs a check")
    }

    /// Clean is a log of ones, which is none, or one that no client has in use (ntfs_is_logfile_clean of ntfs-3g).
    private func requireLogClean() throws(InspectionFailure) {
        let data = try ntfs.attribute(NTFSAttribute.data, of: NTFSVolume.Number.logFile)
        let byteCount = try data.byteCounts().data
        try require(byteCount >= 16384 && byteCount <= 8 << 30, "its log is of a strange size")
        let runs = try data.runs(clusterCount: ntfs.clusterCount)
        let head = try ntfs.read(runs, at: 0, byteCount: 16384)
        if head.bytes.allSatisfy({ $0 == 0xff }) {
            // A torn one may begin so.
            var offset: UInt64 = 16384
            while offset < byteCount {
                let pieceByteCount = Int(min(1 << 20, byteCount - offset))
                let piece = try ntfs.read(runs, at: offset, byteCount: pieceByteCount)
                try require(piece.bytes.allSatisfy { $0 == 0xff }, "its log is damaged")
                offset += UInt64(pieceByteCount)
            }
            return
        }
        let systemPage = Int(try head.little32(16))
        try require(head.holds("RSTR", at: 0) && systemPage >= 512 && systemPage <= 8192 && systemPage & (systemPage - 1) == 0, "its log is pending or of an unknown kind")
        for page in [0, systemPage] {
            let restart = Record(Array(try head.slice(page, systemPage)))
            let version = try restart.little16(28)
            try require(restart.holds("RSTR", at: 0) && version == 1, "its log is pending or of an unknown kind")
            let area = Int(try restart.little16(24))
            let (inUse, flags) = (try restart.little16(area + 12), try restart.little16(area + 14))
            try require(inUse == 0xffff || flags & 2 != 0, "its log is pending")
        }
    }

    /// Windows keeps what it knows of the volume in this file, and goes on with it.
    private func requireNotHibernated() throws(InspectionFailure) {
        guard let number = try ntfs.fileInRoot("hiberfil.sys") else { return }
        guard let data = try ntfs.file(number).attribute(NTFSAttribute.data), try !data.isResident else { return }
        let byteCounts = try data.byteCounts()
        guard byteCounts.data >= 4096, byteCounts.initialised >= 4096 else { return }
        let head = try ntfs.read(try data.runs(clusterCount: ntfs.clusterCount), at: 0, byteCount: 4096)
        // Zeros: Windows was started again.
        try require(head.bytes.allSatisfy { $0 == 0 }, "it holds a hibernated system, or one that was shut down for a fast start")
    }

    /// - Parameter others: what is unused besides, in order. Where the bitmap has it as free, nothing is believed.
    private func search(besides others: [Range<UInt64>]) throws(InspectionFailure) -> FreeMap {
        let data = try ntfs.attribute(NTFSAttribute.data, of: NTFSVolume.Number.bitmap)
        let byteCounts = try data.byteCounts()
        let byteCount = (ntfs.clusterCount + 7) / 8
        try require(try data.isPlain && byteCounts.data >= byteCount && byteCounts.initialised >= byteCount, "its bitmap is too small")
        let runs = try data.runs(clusterCount: ntfs.clusterCount)
        try require(runs.allSatisfy { $0.start != nil }, "its bitmap has holes")
        var builder = FreeMapBuilder(volumeByteCount: ntfs.volume.byteCount)
        var others = others[...]
        func addOthers(below end: UInt64) throws(InspectionFailure) {
            while let other = others.first, other.lowerBound < end {
                try require(builder.add(other), "its page files lie where nothing is in use")
                others.removeFirst()
            }
        }
        var done: UInt64 = 0
        while done < ntfs.clusterCount {
            let bitCount = Int(min(8 << 20, ntfs.clusterCount - done))
            let bits = try ntfs.read(runs, at: done / 8, byteCount: (bitCount + 7) / 8)
            for run in BitmapRuns.clear(in: bits.bytes.span, bitCount: bitCount) {
                let range = (done + UInt64(run.lowerBound)) * ntfs.clusterByteCount..<(done + UInt64(run.upperBound)) * ntfs.clusterByteCount
                try addOthers(below: range.lowerBound)
                try require(builder.add(range), "its clusters lie behind its end")
            }
            done += UInt64(bitCount)
        }
        try addOthers(below: .max)
        return builder.finish()
    }
}
