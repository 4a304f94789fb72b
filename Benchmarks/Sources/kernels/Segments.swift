import Compression

/// The sample cut into segments of 1 MiB, each compressed into its own memory or left out.
struct Segments {
    static let byteCount = 1 << 20
    static let level = 3

    private let compressor = SegmentCompressor()
    private let decompressor = SegmentDecompressor()
    private let ranges: [Range<Int>]
    private var frames: [[UInt8]]
    private var frameByteCounts: [Int]

    init(_ ranges: [Range<Int>]) {
        self.ranges = ranges
        frames = ranges.map { [UInt8](repeating: 0, count: $0.count) }
        frameByteCounts = ranges.map { _ in 0 }
    }

    /// - Returns: how many bytes the frames have.
    mutating func compress(_ sample: [UInt8]) throws -> UInt64 {
        for (index, range) in ranges.enumerated() {
            var frame = frames[index].mutableSpan
            let byteCount = try compressor.compress(sample.span.extracting(range), into: &frame, level: Segments.level)
            frameByteCounts[index] = byteCount ?? 0
        }
        return frameByteCounts.reduce(0) { $0 + UInt64($1) }
    }

    /// Decodes every frame to the start of `destination`.
    func decompress(into destination: inout [UInt8]) throws -> UInt64 {
        var sum: UInt64 = 0
        for (index, range) in ranges.enumerated() where frameByteCounts[index] > 0 {
            let frame = frames[index]
            var decoded = destination.mutableSpan
            sum += UInt64(
                try decompressor.decompress(
                    frame.span.extracting(0..<frameByteCounts[index]), into: &decoded, decodedByteCount: range.count))
        }
        return sum
    }
}
