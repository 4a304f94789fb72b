/// What can be wrong with chunker parameters that come from outside.
public enum ChunkerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The average is not a power of two from 16 KiB to 1 MiB.
    case averageOutOfBounds(Int)

    public var description: String {
        switch self {
        case .averageOutOfBounds(let byteCount):
            "an average chunk of \(byteCount) bytes is not possible: it must be a power of two from 16 KiB to 1 MiB"
        }
    }
}
