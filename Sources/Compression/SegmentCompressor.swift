import CZstd

/// Compresses one segment after another with zstd, each into a frame of its own.
///
/// It keeps its working memory from call to call (for segments of 1 MiB: 0.8 MiB at level 3, 13 MiB at level 12), so each worker has one of its own.
@safe
public final class SegmentCompressor {
    /// zstd's levels that may be asked for.
    public static let levels = 1...12
    /// The largest window written, as a power of two. Only segments beyond 2 MiB could have a larger one.
    private static let windowLogMax = 21
    /// A segment that does not shrink by this many hundredths is stored as it is.
    private static let gainPercentMin = 3
    /// Of a segment that follows one that did not shrink so many pieces, spread over it, are tried first, at a level of their own. What they miss is a small part of it.
    /// Decision: Specs/decisions/0012-a-sample-behind-incompressible-segments.md.
    private static let samplePieceCount = 16
    private static let samplePieceByteCount = 4 << 10
    private static let sampleLevel = 1
    /// Behind so many in a row that a sample spoke against, one is tried whole: what repeats from piece to piece no sample sees.
    private static let sampledRunMax = 15
    /// At level 3 longer segments too are searched with the tables that zstd has for sources of 64 to 128 KiB, as powers of two: 384 KiB instead of 768, which leaves
    /// room in the second-level cache. Decision: Specs/decisions/0015-level-3-with-smaller-tables.md.
    private static let smallTables = (level: 3, sourceByteCountMin: 128 << 10, hashLog: Int32(16), chainLog: Int32(15))

    private let context: OpaquePointer
    private let sample = UnsafeMutableRawBufferPointer.allocate(
        byteCount: SegmentCompressor.samplePieceCount * SegmentCompressor.samplePieceByteCount, alignment: 64)
    /// How many segments in a row a sample spoke against since one that did not shrink; nil if the last that was tried whole did, and before the first.
    private var sampledRun: Int?

    public init() {
        guard let context = unsafe ZSTD_createCCtx() else { fatalError("out of memory for a compressor") }
        unsafe self.context = context
    }

    deinit {
        unsafe ZSTD_freeCCtx(context)
        unsafe sample.deallocate()
    }

    /// Compresses `source` to the start of `destination`, which may then hold anything beyond the result.
    ///
    /// The frame states its content size and has no checksum: segments are sealed.
    ///
    /// - Returns: how many bytes the frame has, or nil if that would save less than about 3 %, or a sample says so, in which case `source` is to
    ///   be stored as it is.
    /// - Throws: `CompressionError.failed`, when memory is short.
    /// - Precondition: `source` has at most 8 MiB, `destination` is not shorter than `source`, `level` is one of `levels`.
    public func compress(
        _ source: Span<UInt8>, into destination: inout MutableSpan<UInt8>, level: Int
    ) throws(CompressionError) -> Int? {
        try unsafe destination.withUnsafeMutableBytes { destination throws(CompressionError) in
            try unsafe source.withUnsafeBytes { source throws(CompressionError) in
                try unsafe compress(source, into: destination, level: level)
            }
        }
    }

    /// The same for memory that the caller answers for: both must be valid during the call and must not overlap.
    public func compress(
        _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer, level: Int
    ) throws(CompressionError) -> Int? {
        precondition(SegmentCompressor.levels.contains(level), "a level that may be asked for")
        precondition(source.count <= SegmentLimits.decodedByteCountMax, "no segment is longer")
        precondition(destination.count >= source.count, "the result has room")
        if let run = sampledRun, run < SegmentCompressor.sampledRunMax, unsafe try !sampleShrinks(source, destination) {
            sampledRun = run + 1
            return nil
        }
        let result = unsafe try shrink(source, into: destination, level: level)
        sampledRun = result == nil ? 0 : nil
        return result
    }

    /// Whether pieces of `source` shrink; true of one that is too short to be worth a sample.
    private func sampleShrinks(_ source: UnsafeRawBufferPointer, _ scratch: UnsafeMutableRawBufferPointer) throws(CompressionError) -> Bool {
        let (count, byteCount) = (SegmentCompressor.samplePieceCount, SegmentCompressor.samplePieceByteCount)
        guard source.count >= 4 * count * byteCount else { return true }
        for number in 0..<count {
            let start = (source.count - byteCount) / (count - 1) * number
            unsafe UnsafeMutableRawBufferPointer(rebasing: sample[number * byteCount..<(number + 1) * byteCount])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + byteCount]))
        }
        return unsafe try shrink(UnsafeRawBufferPointer(sample), into: scratch, level: SegmentCompressor.sampleLevel) != nil
    }

    private func shrink(
        _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer, level: Int
    ) throws(CompressionError) -> Int? {
        // zstd is given no more room than a worthwhile result needs, and stops when that is not enough. (It wants up to
        // eight bytes more than it ends up using: so exact is the limit, and so exact it needs to be.)
        let gainMin = (source.count * SegmentCompressor.gainPercentMin + 99) / 100
        guard gainMin > 0 else { return nil }
        // A frame that was given up leaves the context in its middle, where parameters cannot be set.
        let reset = unsafe ZSTD_CCtx_reset(context, ZSTD_reset_session_only)
        guard ZSTD_isError(reset) == 0 else { throw .failed(reason: zstdReason(reset)) }
        try set(ZSTD_c_compressionLevel, Int32(level))
        let tables = SegmentCompressor.smallTables
        let areSmall = level == tables.level && source.count > tables.sourceByteCountMin
        // 0 leaves them to the level.
        try set(ZSTD_c_hashLog, areSmall ? tables.hashLog : 0)
        try set(ZSTD_c_chainLog, areSmall ? tables.chainLog : 0)
        try set(ZSTD_c_contentSizeFlag, 1)
        try set(ZSTD_c_checksumFlag, 0)
        // 0 leaves the window to the level, which never makes it larger than the source needs.
        let mayExceed = source.count > 1 << SegmentCompressor.windowLogMax
        try set(ZSTD_c_windowLog, mayExceed ? Int32(SegmentCompressor.windowLogMax) : 0)
        let result = unsafe ZSTD_compress2(
            context, destination.baseAddress, source.count - gainMin, source.baseAddress, source.count)
        guard ZSTD_isError(result) != 0 else { return result }
        if ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall { return nil }
        throw .failed(reason: zstdReason(result))
    }

    private func set(_ parameter: ZSTD_cParameter, _ value: Int32) throws(CompressionError) {
        let result = unsafe ZSTD_CCtx_setParameter(context, parameter, value)
        guard ZSTD_isError(result) == 0 else { throw .failed(reason: zstdReason(result)) }
    }
}
