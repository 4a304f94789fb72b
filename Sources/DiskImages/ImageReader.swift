/// What a range of an image holds, as far as it is known without reading it.
public struct ImageExtent: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// May hold anything.
        case data
        /// Reads as zeros and need not be read.
        case zero
        /// Reads as zeros, need not be read, and nobody needs what stands there.
        case unused
    }

    public var kind: Kind
    /// Where the extent ends, exclusive, in bytes from the image's start.
    public var end: UInt64

    public init(kind: Kind, end: UInt64) {
        self.kind = kind
        self.end = end
    }
}

/// A disk or something like one, with random access. Safe to use from several threads.
public protocol ImageReader: Sendable {
    /// Fixed when the reader is made, even if the source grows or shrinks afterwards.
    var byteCount: UInt64 { get }

    /// The extent that holds the byte at `offset`, which lies within the image. It may be split or joined with its neighbours at will.
    func extent(at offset: UInt64) throws(ImageError) -> ImageExtent

    /// Reads into the whole of `bytes` from `offset` on; what is asked for lies within the image.
    ///
    /// Returns how many bytes were read: fewer than asked for only where the source now ends.
    /// - Throws: `.unreadable` where the device cannot deliver; then nothing is said of the bytes before that place.
    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int

    /// How large the source is now: less than `byteCount` if it shrank, more if it grew.
    func currentByteCount() throws(ImageError) -> UInt64

    /// Whether anybody wrote to the source since the reader was made, as far as that can be told.
    func hasChanged() throws(ImageError) -> Bool

    /// Says that a range will be read soon, so that it may be fetched meanwhile. It does not wait and cannot fail.
    ///
    /// What a file or device fetches this way stays in the page cache.
    func prefetch(at offset: UInt64, byteCount: UInt64)
}

extension ImageReader {
    public func currentByteCount() throws(ImageError) -> UInt64 { byteCount }

    public func hasChanged() throws(ImageError) -> Bool { false }

    public func prefetch(at offset: UInt64, byteCount: UInt64) {}
}

/// Bytes that come in order, once: standard input, or the output of a command.
public protocol ImageStream: Sendable {
    /// Fills `bytes` as far as the stream goes; fewer than asked for, only at its end.
    ///
    /// - Throws: where the stream breaks off; a backup of it must then not be committed.
    func read(into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int

    /// Called once after the end was read: whether the stream was complete, as a command's exit status tells.
    func finish() throws(ImageError)
}
