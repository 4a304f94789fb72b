/// What a reader accepts, checked before anything is decoded.
public enum SegmentLimits {
    /// The longest segment, in decoded bytes.
    public static let decodedByteCountMax = 8 << 20
    /// The largest window of a frame, as a power of two.
    public static let windowLogMax = 23
}
