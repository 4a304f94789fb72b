package import Bytes
package import Compression
package import Storage

/// Why a chunk could not be stored or read.
package enum PackingError: Error, Sendable {
    case storage(StorageError)
    /// The object's bytes are not what they should be.
    case damaged(object: String, reason: String)
    /// No pack that is there holds the chunk.
    case missing(ChunkID)
    /// The open slot has no key that opens data.
    case noDataKey
    case compression(CompressionError)
    /// A chunk that was compressed and decoded again came out differently: memory or library at fault.
    case selfCheckFailed
    /// The machine has no room for another thread.
    case noThread(reason: String)
    /// Another thread of the same session failed first; its error says why.
    case aborted

    /// Whether what was to be read is lost, as far as can be told: it is nowhere, damaged, or the storage fails to give it.
    package var isLoss: Bool {
        switch self {
        case .missing, .damaged, .storage(.failed), .storage(.shortObject): true
        default: false
        }
    }
}
