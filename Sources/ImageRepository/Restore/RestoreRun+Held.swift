import Bytes
import DiskImages
import RepositoryFormat
import Sealing

/// What a comparison of a band with the target found.
struct HeldEntries {
    enum Answer {
        /// The target holds the entry's bytes already, as their fingerprint tells: its chunk need not be fetched.
        case held
        /// The target holds other bytes, which stand in their place in the band buffer.
        case replaced
        /// Not looked at, and to be written as it is.
        case uncompared
    }

    /// Of data entries, by number. Of others nothing is known.
    private(set) var answers: [Int: Answer] = [:]
    /// Where the band buffer has bytes of the target, or what is to replace them: in order, none beside another.
    private var ranges: [Range<Int>] = []
    /// How far into a block of the target the first byte of the band lies.
    private let distance: Int

    init(_ step: RestoreStep) {
        let block = AlignedBuffer.alignment
        self.init(distance: (Int(step.imageOffset % UInt64(block)) + block - step.bandRange.lowerBound % block) % block)
    }

    init(distance: Int) { self.distance = distance }

    mutating func hold(_ number: Int) { answers[number] = .held }

    /// Numbers of those that are held.
    var held: Set<Int> { Set(answers.lazy.filter { $0.value == .held }.map(\.key)) }

    mutating func passOver(_ number: Int) { answers[number] = .uncompared }

    mutating func replace(_ number: Int, knowing range: Range<Int>) {
        answers[number] = .replaced
        if let last = ranges.last, last.upperBound >= range.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
        } else {
            ranges.append(range)
        }
    }

    /// The blocks of the target in which a range of the band lies, as far as they lie in the band themselves.
    func blocks(around range: Range<Int>) -> Range<Int> {
        let block = AlignedBuffer.alignment
        let (start, end) = (range.lowerBound + distance, range.upperBound + distance)
        return max(0, start / block * block - distance)..<(end + block - 1) / block * block - distance
    }

    /// Parts of an entry's place where the buffer has other bytes than `bytes`: blocks of the target, neighbours joined.
    func differences(_ buffer: AlignedBuffer, _ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
        guard let start = bytes.baseAddress else { return [] }
        return unsafe RestoreTarget.differences(buffer.base + range.lowerBound, start, range.count, distance + range.lowerBound).map {
            range.lowerBound + $0.lowerBound..<range.lowerBound + $0.upperBound
        }
    }

    /// Ranges that differ, in any order, as they are to be written: in whole blocks, as far as all of a block is at hand.
    func written(_ differences: [Range<Int>]) -> [Range<Int>] {
        var written: [Range<Int>] = []
        var known = ranges[...]
        for difference in differences.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            while let first = known.first, first.upperBound <= difference.lowerBound { known.removeFirst() }
            let isKnown = known.first.map { $0.clamped(to: difference) == difference } ?? false
            let range = isKnown ? blocks(around: difference).clamped(to: known[known.startIndex]) : difference
            if let last = written.last, last.upperBound >= range.lowerBound {
                written[written.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                written.append(range)
            }
        }
        return written
    }
}

extension RestoreRun {
    /// Compares what the target holds in the place of each chunk, where the target's pace lets it. Of those that differ it is copied to the band buffer.
    ///
    /// Read in pieces that stay in the processor's cache until they are compared.
    func entriesHeld(_ map: BandMap, _ step: RestoreStep, _ buffers: Buffers) throws(RepositoryError) -> HeldEntries {
        var found = HeldEntries(step)
        guard target.isWorthComparing else { return found }
        var group = EntryRun()
        func compare() throws(RepositoryError) {
            try cancellation.check()
            guard target.pace.compares(next: group.byteCount) else {
                for number in group.entries { found.passOver(number) }
                return
            }
            let place = step.imageOffset + UInt64(group.start - step.bandRange.lowerBound)
            var isAnythingEqual = false
            defer { target.pace.note(group.byteCount, isAnythingEqual: isAnythingEqual) }
            guard let start = try imaging({ () throws(ImageError) in try target.read(place..<place + UInt64(group.byteCount), into: buffers.compare) }) else { return }
            var position = group.start
            for number in group.entries {
                let range = position..<position + Int(map.entries[number].byteCount)
                position = range.upperBound
                let bytes = unsafe UnsafeRawBufferPointer(start: buffers.compare.base + start + range.lowerBound - group.start, count: range.count)
                guard unsafe member.fingerprint(bytes) != map.entries[number].fingerprint else {
                    found.hold(number)
                    isAnythingEqual = true
                    continue
                }
                let known = found.blocks(around: range).clamped(to: group.start..<group.start + group.byteCount)
                let knownBytes = unsafe UnsafeRawBufferPointer(start: buffers.compare.base + start + known.lowerBound - group.start, count: known.count)
                unsafe buffers.band.copy(knownBytes, at: known.lowerBound)
                found.replace(number, knowing: known)
            }
        }
        var position = 0
        for (number, entry) in map.entries.enumerated() {
            let range = position..<position + Int(entry.byteCount)
            position = range.upperBound
            let isWhole = entry.kind == .data && range.clamped(to: step.bandRange) == range && range.count <= RestoreTarget.pieceByteCount
            if !group.isEmpty, !isWhole || group.byteCount + range.count > RestoreTarget.pieceByteCount {
                try compare()
                group = EntryRun()
            }
            if isWhole { group.add(number, range) }
        }
        if !group.isEmpty { try compare() }
        return found
    }
}

/// Neighbouring entries that are compared together.
private struct EntryRun {
    private(set) var entries = 0..<0
    private(set) var start = 0
    private(set) var byteCount = 0
    var isEmpty: Bool { entries.isEmpty }

    mutating func add(_ number: Int, _ range: Range<Int>) {
        if isEmpty { (entries, start) = (number..<number, range.lowerBound) }
        entries = entries.lowerBound..<number + 1
        byteCount += range.count
    }
}
