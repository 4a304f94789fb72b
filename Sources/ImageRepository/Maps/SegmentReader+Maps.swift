import Bytes
import Packing
import RepositoryFormat

/// Map chunks, read and decoded.
extension SegmentReader {
    /// - Parameter byteCount: of the band.
    func bandMap(_ id: ChunkID, byteCount: Int) throws(RepositoryError) -> BandMap {
        let bytes = try mapChunk(id)
        return try decoding("band map \(id)") { () throws(FormatError) in try BandMap(decoding: bytes, bandByteCount: byteCount) }
    }

    func mapNode(_ id: ChunkID, level: Int, slotCount: Int) throws(RepositoryError) -> MapNode {
        let bytes = try mapChunk(id)
        return try decoding("map node \(id)") { () throws(FormatError) in try MapNode(decoding: bytes, level: level, slotCount: slotCount) }
    }

    private func mapChunk(_ id: ChunkID) throws(RepositoryError) -> [UInt8] {
        try packing { () throws(PackingError) in try unsafe withChunk(id, .map) { unsafe Array($0) } }
    }
}
