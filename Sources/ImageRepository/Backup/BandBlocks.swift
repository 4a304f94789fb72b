import Bytes
import Chunking
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
    static let byteCount = firstBlock * MemoryLayout<UInt64>.size + FormatLimits.bandByteCount / ZeroBlocks.blockByteCount * MemoryLayout<UInt64>.size
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
        let block = ZeroBlocks.blockByteCount
        let first = (range.lowerBound + block - 1) / block
        let end = range.upperBound == byteCount ? (byteCount + block - 1) / block : range.upperBound / block
        return first..<max(first, end)
    }

    /// Fingerprints of all blocks of which the new map will say what the buffer holds, and the former ones of those that are taken from the parent unseen. One that is partly
    /// the one and partly the other is known if the buffer holds what the parent has: then it makes no difference.
    ///
    /// - Parameters:
    ///   - raw: what the buffer holds of the band.
    ///   - former: those of the parent, if they are known.
    mutating func note(_ job: BandJob, _ raw: UnsafeRawBufferPointer, _ zeroBlocks: ZeroBlocks, former: BandBlocks?, _ member: MemberKeys) {
        for index in words.indices { words[index] = 0 }
        func fingerprint(_ block: Int) -> UInt64 {
            let start = block * ZeroBlocks.blockByteCount
            let end = min(start + ZeroBlocks.blockByteCount, job.byteCount)
            return unsafe member.blockFingerprint(UnsafeRawBufferPointer(rebasing: raw[start..<end]))
        }
        func compute(_ range: Range<Int>) {
            for block in BandBlocks.blocks(within: range, byteCount: job.byteCount) where !zeroBlocks[block] { self[block] = fingerprint(block) }
        }
        func take(_ range: Range<Int>) {
            guard let former else { return }
            for block in BandBlocks.blocks(within: range, byteCount: job.byteCount) { self[block] = former[block] }
        }
        func compare(at position: Int) {
            let block = position / ZeroBlocks.blockByteCount
            guard let former, position < job.byteCount, position % ZeroBlocks.blockByteCount != 0, fingerprint(block) == former[block] else { return }
            self[block] = former[block]
        }
        var position = job.scan?.position ?? 0
        take(0..<position)
        compare(at: position)
        for gap in job.gaps {
            compute(position..<max(position, gap.range.lowerBound))
            if gap.entries.contains(where: { $0.kind == .data }) { take(gap.range) }
            compare(at: gap.range.lowerBound)
            compare(at: gap.range.upperBound)
            position = gap.range.upperBound
        }
        compute(position..<job.byteCount)
    }

    /// Runs of blocks within a range of the band that are what they were.
    func unchangedParts(of range: Range<Int>, since former: BandBlocks) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        for block in range.lowerBound / ZeroBlocks.blockByteCount..<(range.upperBound + ZeroBlocks.blockByteCount - 1) / ZeroBlocks.blockByteCount {
            guard self[block] != 0, self[block] == former[block] else { continue }
            let start = block * ZeroBlocks.blockByteCount
            let part = (start..<start + ZeroBlocks.blockByteCount).clamped(to: range)
            if let last = parts.last, last.upperBound == part.lowerBound {
                parts[parts.count - 1] = last.lowerBound..<part.upperBound
            } else if !part.isEmpty {
                parts.append(part)
            }
        }
        return parts
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
