import DiskLayout

/// Of swap space only the header is kept. What was swapped out means nothing after a restart.
enum SwapFreeSpace {
    /// Boot code, header and label lie in the first page, whatever its size.
    private static let headerByteCount: UInt64 = 64 << 10

    /// - Parameter word: what its header ends with; a hibernated system has put another one there, and whoever starts without its image puts the first one back.
    static func find(in volume: SourceWindow, word: String) throws(InspectionFailure) -> FreeSpace {
        for pageByteCount in [4096, 8192, 16384, 32768, 65536] where UInt64(pageByteCount) <= volume.byteCount {
            let header = try volume.read(at: 0, byteCount: pageByteCount)
            guard header.holds(word, at: pageByteCount - 10) else { continue }
            let lastPage = UInt64(try header.little32(1028))
            let end = (lastPage + 1) * UInt64(pageByteCount)
            try require(try header.little32(1024) == 1 && end <= volume.byteCount, "its header makes no sense")
            var builder = FreeMapBuilder(volumeByteCount: volume.byteCount)
            try require(builder.add(min(headerByteCount, end)..<end), "its header makes no sense")
            return FreeSpace(map: builder.finish())
        }
        throw .notProvable("it is of an unknown kind or holds a hibernated system")
    }
}
