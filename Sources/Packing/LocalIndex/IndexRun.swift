package import Bytes
import CLinux
import Glibc
import RepositoryFormat
import Sealing

/// A part of the index in a file of the cache folder: sorted, immutable, mapped into memory and paged in as it is asked.
///
///     offset  size  field
///          0     8  magic, "HFRUN", 0, 0, 2
///          8     8  XXH3-64 of everything behind
///         16     8  entry count n
///         24     4  pack count p
///         28     4  count c of index objects whose packs the run holds
///         32     8  byte count of the pack records
///         40    24  reserved, 0
///         64   32n  entries, by rising id: 128 bits of the id, pack ordinal, segment, offset, byte count, 4 bytes each
///          …    4b  b = 2^k + 1: for each prefix of k bits how many entries have a lower one, and n; k is such that 32 to 63 entries share a prefix
///          …   32c  ids of the index objects
///          …    8p  where each pack record begins
///          …     …  pack records, see `PackRecord.encoded`
///
/// Integers are little-endian. The whole file is verified when it is opened; what does not fit is not used, and made anew.
@safe
package final class IndexRun: @unchecked Sendable {
    static let headerByteCount = 64
    static let magic: [UInt8] = Array("HFRUN".utf8) + [0, 0, 2]
    static let entryByteCount = 32

    package let path: String
    package let entryCount: Int
    package let packCount: Int
    /// Index objects whose packs the run holds.
    package let covered: Set<IndexID>
    private let mapping: UnsafeRawPointer
    private let mappedByteCount: Int
    private let prefixBitCount: Int
    private let prefixStarts: Int
    private let recordOffsets: Int
    private let records: Range<Int>

    /// Maps and verifies a run file; nil if there is none, or none that fits.
    package init?(path: String) {
        let descriptor = unsafe holdfast_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_size >= IndexRun.headerByteCount else { return nil }
        let byteCount = Int(status.st_size)
        guard let mapping = unsafe mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0), unsafe mapping != MAP_FAILED else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(start: mapping, count: byteCount)
        func word(_ offset: Int) -> UInt64 { unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
        func half(_ offset: Int) -> Int { unsafe Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))) }
        let entryCount = word(16)
        let recordByteCount = word(32)
        let (packCount, coveredCount) = (half(24), half(28))
        let prefixBitCount = IndexRun.prefixBitCount(entryCount: Int(clamping: entryCount))
        let prefixStarts = entryCount.multipliedReportingOverflow(by: 32).partialValue &+ UInt64(IndexRun.headerByteCount)
        let coveredStart = prefixStarts &+ UInt64(4 * IndexRun.prefixStartCount(prefixBitCount))
        let offsetsStart = coveredStart &+ UInt64(coveredCount * 32)
        let recordsStart = offsetsStart &+ UInt64(packCount * 8)
        guard unsafe bytes.starts(with: IndexRun.magic), entryCount <= UInt64(byteCount) / 32,
            recordByteCount <= UInt64(byteCount), recordsStart &+ recordByteCount == UInt64(byteCount),
            word(8) == (unsafe Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[16...])))
        else {
            unsafe munmap(mapping, byteCount)
            return nil
        }
        unsafe madvise(mapping, byteCount, MADV_RANDOM)
        self.path = path
        self.entryCount = Int(entryCount)
        self.packCount = packCount
        unsafe self.mapping = UnsafeRawPointer(mapping)
        mappedByteCount = byteCount
        self.prefixBitCount = prefixBitCount
        self.prefixStarts = Int(prefixStarts)
        covered = Set(
            (0..<coveredCount).map { index in
                let start = Int(coveredStart) + index * 32
                return unsafe IndexID(Digest(loading: UnsafeRawBufferPointer(rebasing: bytes[start..<start + 32])))
            })
        recordOffsets = Int(offsetsStart)
        records = Int(recordsStart)..<byteCount
    }

    deinit { unsafe munmap(UnsafeMutableRawPointer(mutating: mapping), mappedByteCount) }

    /// - Precondition: `index` is below `entryCount`.
    func entry(_ index: Int) -> IndexEntry {
        precondition(index >= 0 && index < entryCount, "an entry of the run")
        return unsafe mapping.loadUnaligned(fromByteOffset: IndexRun.headerByteCount + index * IndexRun.entryByteCount, as: IndexEntry.self)
    }

    /// Bits of an id's first word by which entries are found: few enough for the table to be small, many enough for an entry to be near its guess.
    static func prefixBitCount(entryCount: Int) -> Int { max(0, (entryCount / 32).bitWidth - (entryCount / 32).leadingZeroBitCount - 1) }

    static func prefixStartCount(_ bitCount: Int) -> Int { 1 << bitCount + 1 }

    static func prefix(_ low: UInt64, _ bitCount: Int) -> Int { bitCount == 0 ? 0 : Int(low >> UInt64(64 - bitCount)) }

    /// The first location of an id that `matches`; pack ordinals are the run's own. Reads a few places of mapped memory.
    func firstLocation(_ low: UInt64, _ high: UInt64, where matches: (ChunkLocation) -> Bool) -> ChunkLocation? {
        var index = lowerBound(low)
        while index < entryCount {
            let entry = entry(index)
            guard entry.low == low else { return nil }
            if entry.high == high, matches(entry.location) { return entry.location }
            index += 1
        }
        return nil
    }

    /// Goes through the places of an id, with the number of each entry.
    func forEach(_ low: UInt64, _ high: UInt64, _ body: (Int, ChunkLocation) -> Void) {
        var index = lowerBound(low)
        while index < entryCount {
            let entry = entry(index)
            guard entry.low == low else { return }
            if entry.high == high { body(index, entry.location) }
            index += 1
        }
    }

    /// The first entry whose first word is not below `low`, by interpolation among those with its prefix: ids are spread evenly.
    private func lowerBound(_ low: UInt64) -> Int {
        let prefix = IndexRun.prefix(low, prefixBitCount)
        var (start, end) = (prefixStart(prefix), prefixStart(prefix + 1))
        var (startKey, endKey) = (UInt64(prefix) << UInt64(64 - prefixBitCount), UInt64(prefix) << UInt64(64 - prefixBitCount) | UInt64.max >> UInt64(prefixBitCount))
        var probes = 0
        while start < end {
            let middle: Int
            probes += 1
            if probes <= 8, endKey > startKey, low >= startKey, low <= endKey {
                let fraction = Double(low - startKey) / Double(endKey - startKey)
                middle = min(end - 1, start + Int(fraction * Double(end - start)))
            } else {
                middle = start + (end - start) / 2
            }
            let key = entry(middle).low
            if key < low { (start, startKey) = (middle + 1, key) } else { (end, endKey) = (middle, key) }
        }
        return start
    }

    private func prefixStart(_ prefix: Int) -> Int {
        let start = unsafe UInt32(littleEndian: mapping.loadUnaligned(fromByteOffset: prefixStarts + 4 * prefix, as: UInt32.self))
        return min(Int(start), entryCount)
    }

    package func packID(_ ordinal: Int) -> PackID {
        let start = recordStart(ordinal)
        return unsafe PackID(Digest(loading: UnsafeRawBufferPointer(start: mapping + start, count: 32)))
    }

    /// - Throws: where the record is not what this program writes.
    package func packRecord(_ ordinal: Int, isCounting: Bool) throws(DecodingError) -> PackRecord {
        let start = recordStart(ordinal)
        let end = ordinal + 1 < packCount ? recordStart(ordinal + 1) : records.upperBound
        guard start <= end else { throw .invalid(field: "pack record") }
        let bytes = unsafe Array(UnsafeRawBufferPointer(start: mapping + start, count: end - start))
        return try PackRecord(decoding: bytes, isCounting: isCounting)
    }

    private func recordStart(_ ordinal: Int) -> Int {
        precondition(ordinal >= 0 && ordinal < packCount, "a pack of the run")
        let offset = unsafe UInt64(littleEndian: mapping.loadUnaligned(fromByteOffset: recordOffsets + ordinal * 8, as: UInt64.self))
        return min(records.lowerBound + Int(clamping: offset), records.upperBound)
    }
}
