import Bytes
import DiskImages
import RepositoryFormat
import Threading

/// How far a band is what the parent has there.
struct UnchangedScan {
    /// Of the parent; they cover the band up to `position`.
    var entries: [MapEntry] = []
    var position = 0
    var parent: ParentBand
}

/// Recognises unchanged bands while they are read: each piece is compared while it is in the processor's cache, and goes nowhere else.
///
/// The reader's thread uses it. A few scouts read and compare neighbouring pieces at the same time: one core alone is slower than memory. What they do not recognise a
/// worker looks at again, with all the ways of a worker.
final class UnchangedScanner {
    /// Read at once: a part of a core's second-level cache.
    private static let pieceByteCount = 256 << 10
    /// More would only wait for memory.
    private static let scoutCountMax = 4

    private let parent: ParentMaps
    private let reader: any ImageReader
    private let limit: RateLimit?
    private let cancellation: Cancellation
    private let scouts: [Scout]
    private let buffer = AlignedBuffer(byteCapacity: UnchangedScanner.pieceByteCount)

    init(
        _ parent: ParentMaps, _ reader: any ImageReader, limit: RateLimit?, cancellation: Cancellation, threadCount: Int, makeMatcher: () -> ParentMatcher
    ) {
        self.parent = parent
        self.reader = reader
        self.limit = limit
        self.cancellation = cancellation
        scouts = (0..<max(1, min(threadCount, UnchangedScanner.scoutCountMax))).map { _ in Scout(makeMatcher(), reader, limit, cancellation) }
    }

    /// - Parameters:
    ///   - uniform: whether the source is known to hold nothing, or nothing that is needed, from a place in the image on, and up to where.
    ///   - recognised: told of bytes that are unchanged, and of how many of them had to be read.
    func scan(
        _ band: UInt64, start: UInt64, byteCount: Int, uniform: UniformRange,
        recognised: (_ byteCount: Int, _ readByteCount: Int) -> Void
    ) throws(RepositoryError) -> UnchangedScan {
        var scan = UnchangedScan(parent: parent.band(band))
        let steps = try plan(scan.parent.entries, start, byteCount, uniform)
        let groups = steps.compactMap { step in if case .data(let group) = step { group } else { nil } }
        var matched = try compare(groups, scan.parent.entries)[...]
        for step in steps {
            switch step {
            case .data(let group):
                let count = matched.removeFirst()
                let entries = scan.parent.entries[group.entries.prefix(count)]
                let matchedByteCount = entries.reduce(0) { $0 + Int($1.byteCount) }
                scan.entries += entries
                scan.position += matchedByteCount
                recognised(matchedByteCount, matchedByteCount)
                guard count == group.entries.count else { return scan }
            case .hole(let entry), .zero(let entry):
                var readByteCount = 0
                if case .zero = step {
                    guard let count = try zeros(start + UInt64(scan.position), Int(entry.byteCount), uniform) else { return scan }
                    readByteCount = count
                }
                recognised(Int(entry.byteCount), readByteCount)
                scan.entries.append(entry)
                scan.position += Int(entry.byteCount)
            }
        }
        return scan
    }

    typealias UniformRange = (UInt64) throws(RepositoryError) -> (kind: MapKind, end: UInt64)?

    private enum Step {
        case data(EntryGroup)
        /// Zeros where the source holds nothing, or what is still unused.
        case hole(MapEntry)
        /// Zeros that must be read.
        case zero(MapEntry)
    }

    /// What is to be looked at, from the band's start on, as far as a scanner can.
    private func plan(
        _ parent: [MapEntry], _ start: UInt64, _ byteCount: Int, _ uniform: UniformRange
    ) throws(RepositoryError) -> [Step] {
        var steps: [Step] = []
        var (number, position) = (0, 0)
        while number < parent.count, position + Int(parent[number].byteCount) <= byteCount {
            let place = start + UInt64(position)
            let hole = try uniform(place)
            switch parent[number].kind {
            case .data:
                // What has become a hole is no data any more.
                guard hole == nil else { return steps }
                let group = UnchangedScanner.group(parent, number, place, limit: byteCount - position)
                steps.append(.data(group))
                number = group.entries.upperBound
                position += group.byteCount
            case .zero, .unused:
                let kind = parent[number].kind
                let isHole = hole.map { $0.kind == kind && $0.end >= place + UInt64(parent[number].byteCount) } ?? false
                guard isHole || kind == .zero else { return steps }
                steps.append(isHole ? .hole(parent[number]) : .zero(parent[number]))
                position += Int(parent[number].byteCount)
                number += 1
            case .excluded, .unreadable, .map, .node: return steps
            }
        }
        return steps
    }

    /// The data entries from a number on that are read together; at least one.
    private static func group(_ parent: [MapEntry], _ first: Int, _ place: UInt64, limit: Int) -> EntryGroup {
        var byteCount = 0
        var end = first
        while end < parent.count, parent[end].kind == .data {
            let next = byteCount + Int(parent[end].byteCount)
            guard byteCount == 0 || next <= pieceByteCount, next <= limit else { break }
            byteCount = next
            end += 1
        }
        return EntryGroup(entries: first..<end, place: place, byteCount: byteCount)
    }

    /// How many entries of each group are unchanged, counted from its start. Of groups behind the first that is not, nothing is said.
    private func compare(_ groups: [EntryGroup], _ parent: [MapEntry]) throws(RepositoryError) -> [Int] {
        let search = GroupSearch(groups, parent)
        if groups.count < 2 * scouts.count || scouts.count == 1 {
            scouts[0].search(search)
        } else {
            onThreads(scouts.count, "scout") { [scouts] in scouts[$0].search(search) }
        }
        return try search.result()
    }

    /// How many bytes had to be read to see that all are zero; nil if they are not.
    private func zeros(
        _ offset: UInt64, _ byteCount: Int, _ uniform: UniformRange
    ) throws(RepositoryError) -> Int? {
        let end = offset + UInt64(byteCount)
        var position = offset
        var readByteCount = 0
        while position < end {
            if let (kind, uniformEnd) = try uniform(position) {
                guard kind == .zero else { return nil }
                position = min(uniformEnd, end)
                continue
            }
            let count = Int(min(UInt64(UnchangedScanner.pieceByteCount), end - position))
            guard try reader.fetch(at: position, count, into: buffer) else { return nil }
            limit?.wait(afterReading: count, cancellation)
            try cancellation.check()
            guard buffer.isZero(0..<count) else { return nil }
            readByteCount += count
            position += UInt64(count)
        }
        return readByteCount
    }
}
