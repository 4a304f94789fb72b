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
    while position + 8 <= limit {
        // Within the run, by the condition above.
        var word = unsafe bytes.withUnsafeBytes { UInt64(littleEndian: unsafe $0.loadUnaligned(fromByteOffset: position, as: UInt64.self)) }
        for half in 0..<2 {
            // What four bytes add to the hash is summed up beside it: the hash of the fourth waits for that before the first alone.
            let one = table.words[Int(truncatingIfNeeded: word & 0xff)]
            let two = (one << 1) &+ table.words[Int(truncatingIfNeeded: word >> 8 & 0xff)]
            let three = (two << 1) &+ table.words[Int(truncatingIfNeeded: word >> 16 & 0xff)]
            let four = (three << 1) &+ table.words[Int(truncatingIfNeeded: word >> 24 & 0xff)]
            word >>= 32
            if (hash << 1) &+ one < threshold { return position + 4 * half + 1 }
            if (hash << 2) &+ two < threshold { return position + 4 * half + 2 }
            if (hash << 3) &+ three < threshold { return position + 4 * half + 3 }
            hash = (hash << 4) &+ four
            if hash < threshold { return position + 4 * half + 4 }
        }
        position += 8
    }
    while position < limit {
        hash = (hash << 1) &+ table.words[Int(bytes[position])]
        position += 1
        if hash < threshold { return position }
    }
    return limit
}
