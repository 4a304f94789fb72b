import Bytes
import RepositoryFormat
import Sealing

/// What maps say of parts of chunks, to be compared with the chunks when these are read: a reference to a part rests on fingerprints of blocks, not on the id of the chunk.
/// Decision: Specs/decisions/0014-parts-of-chunks.md.
///
/// Memory: 40 bytes a part, at most 40 MiB, and half of that once more while they are sorted. Where maps have more different parts than three quarters of that, those of some
/// chunks are kept, other chunks each time.
struct PartReferences: Sendable {
    struct Part: Hashable, Comparable, Sendable {
        /// Half of the chunk's id, which is as good as all of it.
        let chunk: (low: UInt64, high: UInt64)
        let offset: UInt32
        let byteCount: UInt32
        let fingerprint: Fingerprint

        init(_ entry: MapEntry) {
            let words = entry.chunk.digest.words
            chunk = (words.0, words.1)
            offset = entry.chunkOffset
            byteCount = entry.byteCount
            fingerprint = entry.fingerprint
        }

        static func == (left: Part, right: Part) -> Bool {
            left.chunk == right.chunk && (left.offset, left.byteCount) == (right.offset, right.byteCount) && left.fingerprint == right.fingerprint
        }

        static func < (left: Part, right: Part) -> Bool {
            if left.chunk != right.chunk { return left.chunk < right.chunk }
            if (left.offset, left.byteCount) != (right.offset, right.byteCount) { return (left.offset, left.byteCount) < (right.offset, right.byteCount) }
            return (left.fingerprint.low, left.fingerprint.high) < (right.fingerprint.low, right.fingerprint.high)
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(chunk.low)
            hasher.combine(offset)
            hasher.combine(byteCount)
            hasher.combine(fingerprint.low)
        }
    }

    /// Beyond that it is a few chunks that have so many parts: more of them are not kept.
    private static let choiceBitCountMax = 32

    /// In order when all are added.
    private var parts: [Part] = []
    private let countMax: Int
    /// Chunks are kept of whose id, changed by a random number, so many first bits are 0.
    private var choiceBitCount = 0
    private let choice = UInt64.random(in: .min ... .max)

    /// - Parameter countMax: how many are kept at most.
    init(countMax: Int = 1 << 20) { self.countMax = countMax }

    /// Of so many chunks, the parts of one are compared.
    var sample: Int { 1 << choiceBitCount }

    mutating func add(_ entry: MapEntry) {
        let part = Part(entry)
        guard isChosen(part) else { return }
        if parts.count == countMax { makeRoom() }
        if parts.count < countMax, isChosen(part) { parts.append(part) }
    }

    /// To be called once, after the last was added.
    mutating func finish() { removeDuplicates() }

    /// Parts of a chunk that are not what the chunk has there, and how many were compared.
    func wrongParts(of id: ChunkID, _ bytes: UnsafeRawBufferPointer, _ member: MemberKeys) -> (wrong: [Part], comparedCount: Int) {
        let chunk = (low: id.digest.words.0, high: id.digest.words.1)
        var (place, end) = (0, parts.count)
        while place < end {
            let middle = (place + end) / 2
            if parts[middle].chunk < chunk { place = middle + 1 } else { end = middle }
        }
        var wrong: [Part] = []
        var comparedCount = 0
        var last: (range: Range<Int>, fingerprint: Fingerprint)?
        while place < parts.count, parts[place].chunk == chunk {
            let part = parts[place]
            place += 1
            // One that does not lie within its chunk is told of by whoever walks the maps.
            guard Int(part.offset) + Int(part.byteCount) <= bytes.count else { continue }
            let range = Int(part.offset)..<Int(part.offset) + Int(part.byteCount)
            comparedCount += 1
            // Several of one range stand one behind the other; all but one of them must be wrong.
            let found = if let last, last.range == range { last.fingerprint } else { unsafe member.fingerprint(UnsafeRawBufferPointer(rebasing: bytes[range])) }
            last = (range, found)
            if found != part.fingerprint { wrong.append(part) }
        }
        return (wrong, comparedCount)
    }

    private func isChosen(_ part: Part) -> Bool { PartReferences.isChosen(part, choiceBitCount, choice) }

    private static func isChosen(_ part: Part, _ bitCount: Int, _ choice: UInt64) -> Bool { bitCount == 0 || (part.chunk.low ^ choice) >> (64 - bitCount) == 0 }

    /// A part stands in the maps of many snapshots; only if there are many without that, some are given up.
    private mutating func makeRoom() {
        removeDuplicates()
        guard parts.count > countMax / 4 * 3 else { return }
        while parts.count > countMax / 2, choiceBitCount < PartReferences.choiceBitCountMax {
            choiceBitCount += 1
            let (bitCount, choice) = (choiceBitCount, choice)
            parts.removeAll { !PartReferences.isChosen($0, bitCount, choice) }
        }
    }

    private mutating func removeDuplicates() {
        parts.sort()
        var last: Part?
        parts.removeAll { part in
            defer { last = part }
            return part == last
        }
    }
}

/// What comparing parts of chunks with what maps say of them gave.
struct ComparedParts: Sendable {
    var count = 0
    var wrong: Set<PartReferences.Part> = []

    mutating func add(_ other: ComparedParts) {
        count += other.count
        wrong.formUnion(other.wrong)
    }
}
