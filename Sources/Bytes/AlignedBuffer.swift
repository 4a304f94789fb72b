import CLinux
import Glibc

/// Page-aligned memory of a fixed size, for direct I/O and for what the pipelines pass along.
///
/// One owner at a time uses it: whoever took it from a pool or a queue. That is what makes it `Sendable`.
@safe
public final class AlignedBuffer: @unchecked Sendable {
    public static let alignment = 4096
    /// Of x86-64 and most others; where it is another one, the advice is worth less.
    private static let largePageByteCount = 2 << 20

    /// How many bytes there are room for.
    public let byteCapacity: Int
    /// The memory itself; valid while the buffer is.
    package let base: UnsafeMutableRawPointer

    /// Memory is drawn from the kernel on first touch and is not zeroed by the call. Where there is room for several large pages it comes in such.
    public init(byteCapacity: Int) {
        precondition(byteCapacity > 0, "a buffer holds something")
        let rounded = (byteCapacity + AlignedBuffer.alignment - 1) / AlignedBuffer.alignment * AlignedBuffer.alignment
        var memory: UnsafeMutableRawPointer?
        let isLarge = rounded >= 2 * AlignedBuffer.largePageByteCount
        let result = unsafe posix_memalign(&memory, isLarge ? AlignedBuffer.largePageByteCount : AlignedBuffer.alignment, rounded)
        guard result == 0, let memory = unsafe memory else { fatalError("out of memory: \(rounded) bytes") }
        // Advice; it changes speed alone.
        if isLarge { _ = unsafe madvise(memory, rounded, MADV_HUGEPAGE) }
        self.byteCapacity = rounded
        unsafe base = memory
    }

    deinit { unsafe free(base) }

    /// Reads the first `byteCount` bytes.
    public func withBytes<Result, Failure: Error>(
        byteCount: Int, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(byteCount <= byteCapacity, "within the buffer")
        let bytes = unsafe Span<UInt8>(_unsafeStart: base.assumingMemoryBound(to: UInt8.self), count: byteCount)
        return try body(bytes)
    }

    /// Changes bytes within `range`.
    public func withMutableBytes<Result, Failure: Error>(
        in range: Range<Int>, _ body: (inout MutableSpan<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCapacity, "within the buffer")
        var bytes = unsafe MutableSpan<UInt8>(
            _unsafeStart: base.assumingMemoryBound(to: UInt8.self) + range.lowerBound, count: range.count)
        return try body(&bytes)
    }

    package func zero(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCapacity, "within the buffer")
        unsafe memset(base + range.lowerBound, 0, range.count)
    }

    package func isZero(_ range: Range<Int>) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCapacity, "within the buffer")
        // Equal to itself shifted by one, and its first byte is zero.
        guard let first = range.first else { return true }
        return unsafe base.load(fromByteOffset: first, as: UInt8.self) == 0
            && memcmp(base + first, base + first + 1, range.count - 1) == 0
    }

    package func copy(_ source: UnsafeRawBufferPointer, at offset: Int) {
        precondition(offset >= 0 && offset + source.count <= byteCapacity, "within the buffer")
        if let start = source.baseAddress { unsafe memcpy(base + offset, start, source.count) }
    }
}
