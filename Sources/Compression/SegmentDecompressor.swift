import CZstd

/// Decodes segments that `SegmentCompressor` wrote, and refuses what it would not have written.
///
/// It keeps its working memory from call to call (93 KiB). One thread at a time uses it; that is what makes it `Sendable`.
@safe
public final class SegmentDecompressor: @unchecked Sendable {
    private let context: OpaquePointer

    public init() {
        guard let context = unsafe ZSTD_createDCtx() else { fatalError("out of memory for a decompressor") }
        unsafe self.context = context
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// Decodes the frame at the start of `source` to the first `decodedByteCount` bytes of `destination`.
    ///
    /// What follows the frame must be padding, which is zero. Nothing is allocated, whatever the frame claims.
    ///
    /// - Returns: how many bytes the frame has, without the padding.
    /// - Throws: `CompressionError`; `destination` may then hold a part of the result.
    /// - Precondition: `destination` has room for a `decodedByteCount` within the limit.
    @discardableResult
    public func decompress(
        _ source: Span<UInt8>, into destination: inout MutableSpan<UInt8>, decodedByteCount: Int
    ) throws(CompressionError) -> Int {
        try unsafe destination.withUnsafeMutableBytes { destination throws(CompressionError) in
            try unsafe source.withUnsafeBytes { source throws(CompressionError) in
                try unsafe decompress(source, into: destination, decodedByteCount: decodedByteCount)
            }
        }
    }

    /// The same for memory that the caller answers for: both must be valid during the call and must not overlap.
    @discardableResult
    public func decompress(
        _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer, decodedByteCount: Int
    ) throws(CompressionError) -> Int {
        guard decodedByteCount >= 0, decodedByteCount <= SegmentLimits.decodedByteCountMax else {
            throw .tooLarge(byteCount: decodedByteCount, limit: SegmentLimits.decodedByteCountMax)
        }
        precondition(destination.count >= decodedByteCount, "the result has room")
        let frameByteCount = try unsafe inspectFrame(in: source, decodedByteCount: decodedByteCount)
        let result = unsafe ZSTD_decompressDCtx(
            context, destination.baseAddress, decodedByteCount, source.baseAddress, frameByteCount)
        guard ZSTD_isError(result) == 0 else { throw failure(result) }
        guard result == decodedByteCount else { throw .sizeMismatch(declared: decodedByteCount, found: result) }
        return frameByteCount
    }

    /// Checks everything about the frame that its headers tell.
    ///
    /// - Returns: how many bytes it has.
    private func inspectFrame(in source: UnsafeRawBufferPointer, decodedByteCount: Int) throws(CompressionError) -> Int {
        // RFC 8878, 3.1.1: magic number, descriptor, and a window descriptor unless the frame is a single segment.
        guard source.count >= 6 else { throw .truncated }
        guard unsafe source.loadUnaligned(as: UInt32.self).littleEndian == UInt32(ZSTD_MAGICNUMBER) else {
            throw .damaged(reason: "it does not begin with a zstd frame")
        }
        let isSingleSegment = unsafe source[4] & 0x20 != 0
        // The exponent above the three bits of mantissa; a window of 2^23 has no mantissa.
        let windowDescriptorMax = UInt8(SegmentLimits.windowLogMax - 10) << 3
        if unsafe !isSingleSegment && source[5] > windowDescriptorMax { throw .windowTooLarge }

        let contentSize = unsafe ZSTD_getFrameContentSize(source.baseAddress, source.count)
        // The macros of these two values cast, and are not imported: unknown is 2^64 − 1, an error 2^64 − 2.
        if contentSize == UInt64.max - 1 { throw .truncated }
        guard contentSize == UInt64(decodedByteCount) else {
            throw .sizeMismatch(declared: decodedByteCount, found: Int(exactly: contentSize))
        }
        let frameByteCount = unsafe ZSTD_findFrameCompressedSize(source.baseAddress, source.count)
        guard ZSTD_isError(frameByteCount) == 0 else { throw failure(frameByteCount) }
        for position in frameByteCount..<source.count where unsafe source[position] != 0 {
            throw .damaged(reason: "its padding is not zero")
        }
        return frameByteCount
    }

    private func failure(_ result: Int) -> CompressionError {
        switch ZSTD_getErrorCode(result) {
        case ZSTD_error_memory_allocation: .failed(reason: zstdReason(result))
        case ZSTD_error_srcSize_wrong: .truncated
        default: .damaged(reason: zstdReason(result))
        }
    }
}
