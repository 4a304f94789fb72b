/// Where a chunk's plaintext is.
package struct ChunkLocation: Equatable, Sendable, BitwiseCopyable {
    /// Ordinal in the pack table.
    package var pack: UInt32
    /// Position in the pack's list of segments.
    package var segment: UInt32
    /// In the decoded segment.
    package var offset: UInt32
    package var byteCount: UInt32

    /// Where it ends in the decoded segment.
    package var end: Int { Int(offset) + Int(byteCount) }

    package init(pack: UInt32, segment: UInt32, offset: UInt32, byteCount: UInt32) {
        self.pack = pack
        self.segment = segment
        self.offset = offset
        self.byteCount = byteCount
    }
}
