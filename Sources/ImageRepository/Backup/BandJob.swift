import Bytes
import RepositoryFormat

/// A band that was read and waits for a worker.
struct BandJob: Sendable {
    var band: UInt64
    var buffer: AlignedBuffer
    var byteCount: Int
    /// Within the band, in order; the buffer holds zeros there.
    var unreadable: [Range<Int>]
}

/// What became of a band, or of a run of bands that needed no reading.
enum BandOutcome: Sendable {
    case map(bytes: [UInt8], id: ChunkID)
    case uniform(MapKind, bandCount: UInt64)

    var bandCount: UInt64 {
        switch self {
        case .map: 1
        case .uniform(_, let bandCount): bandCount
        }
    }
}
