public import DiskImages
import Synchronization

/// An image of any size that exists nowhere: seeded pseudo-random bytes in given ranges, zeros elsewhere, and faults on request.
///
/// Each byte depends on the seed and its offset alone, so parts can be compared without the whole.
public final class SyntheticImageReader: ImageReader {
    public static let byteCountMax: UInt64 = 1 << 50

    /// What the reader was asked for, to check costs.
    public struct Counters: Equatable, Sendable {
        public var reads = 0
        public var failedReads = 0
        public var bytesRead: UInt64 = 0
    }

    private struct Faults {
        var unreadable: [Range<UInt64>] = []
        var currentByteCount: UInt64
        var changeAfter: (reads: Int, byteCount: UInt64)?
        var counters = Counters()
    }

    public let byteCount: UInt64
    public let seed: UInt64
    /// In order, not overlapping.
    public let dataRanges: [Range<UInt64>]
    private let faults: Mutex<Faults>

    public init(byteCount: UInt64, seed: UInt64, dataRanges: [Range<UInt64>]) {
        precondition(byteCount <= SyntheticImageReader.byteCountMax, "at most 2^50 bytes")
        let sorted = dataRanges.filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
        precondition(zip(sorted, sorted.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }, "ranges do not overlap")
        precondition(sorted.last.map { $0.upperBound <= byteCount } ?? true, "ranges lie within the image")
        self.byteCount = byteCount
        self.seed = seed
        self.dataRanges = sorted
        faults = Mutex(Faults(currentByteCount: byteCount))
    }

    /// An image without zeros.
    public convenience init(byteCount: UInt64, seed: UInt64) {
        self.init(byteCount: byteCount, seed: seed, dataRanges: [0..<byteCount])
    }

    public var counters: Counters { faults.withLock { $0.counters } }

    /// Reads that touch one of `ranges` fail from now on, at the first such byte.
    public func setUnreadable(_ ranges: [Range<UInt64>]) {
        faults.withLock { $0.unreadable = ranges.sorted { $0.lowerBound < $1.lowerBound } }
    }

    /// Moves the source's end: reads beyond it come short; a larger one only shows in `currentByteCount`.
    public func setCurrentByteCount(_ byteCount: UInt64) {
        faults.withLock { $0.currentByteCount = byteCount }
    }

    /// Moves the source's end once `reads` more reads were made.
    public func setCurrentByteCount(_ byteCount: UInt64, afterReads reads: Int) {
        faults.withLock { faults in faults.changeAfter = (faults.counters.reads + reads, byteCount) }
    }

    public func currentByteCount() -> UInt64 { faults.withLock { $0.currentByteCount } }

    public func extent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        precondition(offset < byteCount, "within the image")
        let index = firstRange(endingAfter: offset)
        guard index < dataRanges.count else { return ImageExtent(kind: .zero, end: byteCount) }
        let range = dataRanges[index]
        return range.lowerBound > offset
            ? ImageExtent(kind: .zero, end: range.lowerBound) : ImageExtent(kind: .data, end: range.upperBound)
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        precondition(offset <= byteCount && UInt64(bytes.count) <= byteCount - offset, "within the image")
        let asked = offset..<offset + UInt64(bytes.count)
        let end = try admit(asked)
        fill(asked.lowerBound..<end, &bytes)
        return Int(end - offset)
    }

    /// The bytes as they are without any fault.
    public func bytes(in range: Range<UInt64>) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var span = bytes.mutableSpan
        fill(range, &span)
        return bytes
    }

    /// Counts a read and answers where it ends, or throws as the medium would.
    private func admit(_ asked: Range<UInt64>) throws(ImageError) -> UInt64 {
        try faults.withLock { (faults) throws(ImageError) in
            faults.counters.reads += 1
            if let change = faults.changeAfter, faults.counters.reads > change.reads {
                faults.currentByteCount = change.byteCount
                faults.changeAfter = nil
            }
            let end = max(asked.lowerBound, min(asked.upperBound, faults.currentByteCount))
            for bad in faults.unreadable where bad.overlaps(asked.lowerBound..<end) {
                faults.counters.failedReads += 1
                throw .unreadable(path: "synthetic", offset: max(bad.lowerBound, asked.lowerBound), reason: "Input/output error")
            }
            faults.counters.bytesRead += end - asked.lowerBound
            return end
        }
    }

    private func fill(_ range: Range<UInt64>, _ bytes: inout MutableSpan<UInt8>) {
        var index = firstRange(endingAfter: range.lowerBound)
        var position = range.lowerBound
        while position < range.upperBound {
            let data = index < dataRanges.count ? dataRanges[index] : range.upperBound..<range.upperBound
            while position < min(data.lowerBound, range.upperBound) {
                bytes[Int(position - range.lowerBound)] = 0
                position += 1
            }
            let end = min(data.upperBound, range.upperBound)
            while position < end {
                // Eight bytes of one word, as far as they are asked for.
                var word = SyntheticImageReader.word(seed, position >> 3) >> ((position & 7) << 3)
                let wordEnd = min(end, (position | 7) + 1)
                while position < wordEnd {
                    bytes[Int(position - range.lowerBound)] = UInt8(truncatingIfNeeded: word)
                    word >>= 8
                    position += 1
                }
            }
            index += 1
        }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014), its state taken from seed and place.
    private static func word(_ seed: UInt64, _ index: UInt64) -> UInt64 {
        var state = seed &+ (index &+ 1) &* 0x9e37_79b9_7f4a_7c15
        state = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        state = (state ^ (state >> 27)) &* 0x94d0_49bb_1331_11eb
        return state ^ (state >> 31)
    }

    private func firstRange(endingAfter offset: UInt64) -> Int {
        var low = 0
        var high = dataRanges.count
        while low < high {
            let middle = (low + high) / 2
            if dataRanges[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
