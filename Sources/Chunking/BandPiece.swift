/// A piece of a band, as the byte range it covers.
package enum BandPiece: Equatable, Sendable {
    /// A run of zeros: an entry of the map, never a chunk.
    case zero(Range<Int>)
    /// One chunk.
    case data(Range<Int>)

    package var range: Range<Int> {
        switch self {
        case .zero(let range), .data(let range): range
        }
    }
}
