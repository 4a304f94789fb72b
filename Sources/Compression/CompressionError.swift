/// Why a segment could not be compressed or decoded.
public enum CompressionError: Error, Equatable, Sendable {
    /// More bytes are declared than a segment may have; nothing was decoded.
    case tooLarge(byteCount: Int, limit: Int)
    /// The frame needs a larger window than the format allows; nothing was decoded.
    case windowTooLarge
    /// The frame is not complete within the bytes given.
    case truncated
    /// The frame's own content size is absent or is not what was declared; nothing was decoded.
    case sizeMismatch(declared: Int, found: Int?)
    /// The bytes are not one zstd frame with its padding. Corrupt, or not written by this program.
    case damaged(reason: String)
    /// The library refuses for a reason that is not in the bytes, such as a lack of memory. May be tried again.
    case failed(reason: String)
}

extension CompressionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooLarge(let byteCount, let limit): "\(byteCount) bytes are declared, more than the \(limit) a segment may have"
        case .windowTooLarge: "its frame needs a larger window than the format allows"
        case .truncated: "its frame is incomplete"
        case .sizeMismatch(let declared, let found?): "its frame holds \(found) bytes where \(declared) are declared"
        case .sizeMismatch(let declared, nil): "its frame does not say its size, where \(declared) bytes are declared"
        case .damaged(let reason): "its frame is damaged (\(reason))"
        case .failed(let reason): "zstd failed (\(reason))"
        }
    }
}
