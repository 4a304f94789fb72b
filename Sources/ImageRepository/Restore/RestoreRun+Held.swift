import Bytes
import DiskImages
import RepositoryFormat
import Sealing

extension RestoreRun {
    /// Numbers of data entries whose bytes the target holds already, as their fingerprints tell: these chunks need not be fetched.
    func entriesHeld(_ map: BandMap, _ step: RestoreStep, _ buffer: AlignedBuffer) throws(RepositoryError) -> Set<Int> {
        guard target.isWorthComparing else { return [] }
        var held: Set<Int> = []
        var group = EntryRun()
        func compare() throws(RepositoryError) {
            try cancellation.check()
            let place = step.imageOffset + UInt64(group.start - step.bandRange.lowerBound)
            guard var position = try imaging({ () throws(ImageError) in try target.read(place..<place + UInt64(group.byteCount), into: buffer) }) else { return }
            for number in group.entries {
                let bytes = unsafe UnsafeRawBufferPointer(start: buffer.base + position, count: Int(map.entries[number].byteCount))
                if unsafe member.fingerprint(bytes) == map.entries[number].fingerprint { held.insert(number) }
                position += bytes.count
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
        return held
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
