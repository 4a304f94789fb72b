import Bytes
import RepositoryFormat
import Sealing

/// Fingerprints of a band's 4 KiB blocks, as a record of `BlockCache`:
///
///     offset  size  field
///          0     8  magic, "HFBLOCK1"
///          8    32  id of the band map whose blocks they are
///         40    16  tag over the whole record, with zeros here
///         56  4040  0
///       4096 32768  4096 fingerprints of 8 bytes; 0 is one that is not known
///
/// Numbers are in the order of this machine's processor.
struct BandBlocks {
    static let byteCount = 4096 + FormatLimits.bandByteCount / blockByteCount * MemoryLayout<UInt64>.size
    static let blockByteCount = 4096
    private static let magic: UInt64 = 0x314b_434f_4c42_4648
    private static let firstBlock = 512

    private var words = [UInt64](repeating: 0, count: byteCount / MemoryLayout<UInt64>.size)

    /// The fingerprint of a block, counted from the band's start; 0 if it is not known.
    subscript(block: Int) -> UInt64 {
        get { words[BandBlocks.firstBlock + block] }
        set { words[BandBlocks.firstBlock + block] = newValue }
    }

    /// The blocks that lie wholly within a range of a band of `byteCount` bytes; the last one may be short.
    static func blocks(within range: Range<Int>, byteCount: Int) -> Range<Int> {
        let first = (range.lowerBound + blockByteCount - 1) / blockByteCount
        let end = range.upperBound == byteCount ? (byteCount + blockByteCount - 1) / blockByteCount : range.upperBound / blockByteCount
        return first..<max(first, end)
    }

    /// Forgets all fingerprints.
    mutating func clear() {
        for index in words.indices { words[index] = 0 }
    }

    /// Makes a record of them that belongs to the band map.
    mutating func seal(_ map: ChunkID, _ member: MemberKeys) {
        words[0] = BandBlocks.magic
        (words[1], words[2], words[3], words[4]) = map.digest.words
        (words[5], words[6]) = (0, 0)
        let tag = unsafe words.withUnsafeBytes { unsafe member.blocksTag($0) }
        (words[5], words[6]) = (tag.low, tag.high)
    }

    /// Whether this is what `seal` made for the band map. Afterwards it is no record any more.
    mutating func open(_ map: ChunkID, _ member: MemberKeys) -> Bool {
        guard words[0] == BandBlocks.magic, (words[1], words[2], words[3], words[4]) == map.digest.words else { return false }
        let tag = (words[5], words[6])
        (words[5], words[6]) = (0, 0)
        let computed = unsafe words.withUnsafeBytes { unsafe member.blocksTag($0) }
        return tag == (computed.low, computed.high)
    }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { unsafe words.withUnsafeBytes { unsafe body($0) } }

    mutating func withMutableBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        unsafe words.withUnsafeMutableBytes { unsafe body($0) }
    }
}
