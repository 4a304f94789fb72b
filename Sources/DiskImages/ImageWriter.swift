/// Where an image is restored to. Safe to use from several threads, except an ordered one.
public protocol ImageWriter: Sendable {
    /// Whether writes must come in order, without gaps or overlaps, as on a pipe.
    var isOrdered: Bool { get }

    /// Whether everything not yet written already reads as zeros, as in a new sparse file.
    var isBlank: Bool { get }

    /// Called once before the first write: sets or checks the size.
    ///
    /// - Throws: `.tooSmall` when the image does not fit.
    func prepare(byteCount: UInt64) throws(ImageError)

    func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ImageError)

    /// Makes a range read as zeros, with holes or discards where that is known to give zeros.
    func writeZeros(at offset: UInt64, byteCount: UInt64) throws(ImageError)

    /// Says that nobody needs what a range holds, so that the target may let go of it; what it reads as afterwards is not promised.
    ///
    /// - Returns: false where the target has no such thing, and the range is as it was.
    func discard(at offset: UInt64, byteCount: UInt64) throws(ImageError) -> Bool

    /// Reads back what the target holds now; only for targets that are not ordered.
    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int

    /// Whether the target is known to hold nothing in the range, so that reading it back would only tell zeros. False where that is not known.
    func isHole(_ range: Range<UInt64>) -> Bool

    /// Returns when everything written is durable, and what is read from then on comes from the medium if that can be arranged.
    func finish() throws(ImageError)

    /// Called when a restore ends without `finish`: removes what would pass for an image and is none, where the writer made it itself.
    func discardIncomplete() throws(ImageError)
}

extension ImageWriter {
    public func isHole(_ range: Range<UInt64>) -> Bool { false }

    public func discard(at offset: UInt64, byteCount: UInt64) throws(ImageError) -> Bool { false }

    /// What a device or stream took cannot be taken back.
    public func discardIncomplete() throws(ImageError) {}
}
