/// The gear hash depends on so many bytes: each further one shifts the oldest out of its 64 bits.
let gearWindowByteCount = 64

/// Where the chunk that starts at `start` ends, in a run of data that ends at `end`.
///
/// The gear hash of Ddelta (Xia et al., 2014): `hash = (hash << 1) &+ table[byte]`. The chunk ends after the first byte
/// beyond `minimumByteCount` where the hash of the last 64 bytes is below the threshold, at the latest after
/// `maximumByteCount` or at the run's end. The bytes of the first half, but for the last 64, are never looked at.
///
/// - Returns: the position after the chunk's last byte; greater than `start` unless the run is empty.
/// - Precondition: `0 ≤ start ≤ end ≤ bytes.count`.
public func cutPoint(
    in bytes: Span<UInt8>, from start: Int, to end: Int, table: GearTable, parameters: ChunkerParameters
) -> Int {
    precondition(0 <= start && start <= end && end <= bytes.count, "the run lies within the bytes")
    guard end - start > parameters.minimumByteCount else { return end }

    let firstTested = start + parameters.minimumByteCount
    let limit = min(end, start + parameters.maximumByteCount)
    let threshold = parameters.threshold
    var hash: UInt64 = 0
    var position = firstTested - gearWindowByteCount
    while position < firstTested {
        hash = (hash << 1) &+ table.words[Int(bytes[position])]
        position += 1
    }
    while position < limit {
        hash = (hash << 1) &+ table.words[Int(bytes[position])]
        position += 1
        if hash < threshold { return position }
    }
    return limit
}
