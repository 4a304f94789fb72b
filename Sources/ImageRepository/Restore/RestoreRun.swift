import Bytes
import DiskImages
import DiskLayout
import Glibc
import Packing
import RepositoryFormat
import Sealing
import Synchronization
import Threading

/// The two passes of a restore: write, and read back.
struct RestoreRun: Sendable {
    let placements: [VolumePlacement]
    let label: [LabelSectors]
    let reader: SegmentReader
    let member: MemberKeys
    let target: RestoreTarget
    let targetName: String
    let threadCount: Int
    let progress: ProgressCounters
    let cancellation: Cancellation

    /// A thread that writes waits for the target; so many more than cores keep the cores busy meanwhile.
    static let writingThreadCount = 2

    /// How often the index is read, if packs are gone each time.
    static let attemptCountMax = 4

    /// A worker's memory.
    private struct Buffers: Sendable {
        let band = AlignedBuffer(byteCapacity: FormatLimits.bandByteCount)
        let compare = AlignedBuffer(byteCapacity: 1 << 20)
    }

    /// Returns the ranges that were unreadable when the snapshot was made.
    func write() throws(RepositoryError) -> [Range<UInt64>] {
        let unreadable = Monitor<[Range<UInt64>]>([])
        try forEachStep { step, buffers, turn throws(RepositoryError) in
            let map = try map(of: step)
            let held = try map.map { map throws(RepositoryError) in try entriesHeld(map, step, buffers) } ?? []
            if let map { try BandAssembler(reader: reader).assemble(map, band: step.band, into: buffers.band, held: held) }
            try turn.inOrder(step.number) { () throws(RepositoryError) in
                try imaging { () throws(ImageError) in try write(step, step.parts(map, held: held), buffers) }
            }
            let found = step.unreadableRanges(map)
            if !found.isEmpty { unreadable.withLock { $0 += found } }
        }
        // Last, so that a target that is not complete has no label.
        for sectors in label {
            try imaging { () throws(ImageError) in try target.writer.write(sectors.bytes.span, at: sectors.offset) }
        }
        return RestoreRun.joined(unreadable.withLock { $0 })
    }

    /// Numbers of data entries whose bytes the target holds already, as their fingerprints tell: these chunks need not be fetched.
    private func entriesHeld(_ map: BandMap, _ step: RestoreStep, _ buffers: Buffers) throws(RepositoryError) -> Set<Int> {
        guard target.isWorthComparing else { return [] }
        var held: Set<Int> = []
        var group = EntryRun()
        func compare() throws(RepositoryError) {
            try cancellation.check()
            let place = step.imageOffset + UInt64(group.start - step.bandRange.lowerBound)
            guard try imaging({ () throws(ImageError) in try target.holds(place, group.byteCount, buffers.compare) }) else { return }
            var position = 0
            for number in group.entries {
                let bytes = unsafe UnsafeRawBufferPointer(start: buffers.compare.base + position, count: Int(map.entries[number].byteCount))
                if unsafe member.fingerprint(bytes) == map.entries[number].fingerprint { held.insert(number) }
                position += bytes.count
            }
        }
        var position = 0
        for (number, entry) in map.entries.enumerated() {
            let range = position..<position + Int(entry.byteCount)
            position = range.upperBound
            let isWhole = entry.kind == .data && range.clamped(to: step.bandRange) == range && range.count <= buffers.compare.byteCapacity
            if !group.isEmpty, !isWhole || group.byteCount + range.count > buffers.compare.byteCapacity {
                try compare()
                group = EntryRun()
            }
            if isWhole { group.add(number, range) }
        }
        if !group.isEmpty { try compare() }
        return held
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

    /// Reads everything back and compares it with the snapshot, but for what is not in use. Where the target is known to be a hole, zeros are expected and nothing is read.
    func verify() throws(RepositoryError) {
        try verifyLabel()
        try forEachStep { step, buffers, _ throws(RepositoryError) in
            let map = try map(of: step)
            let place = step.imageOffset..<step.imageOffset + step.byteCount
            // Zeros of a gap may have a label over them.
            if map == nil, target.writer.isHole(place) || label.contains(where: { place.contains($0.offset) }) { return }
            buffers.band.zero(map == nil ? 0..<buffers.compare.byteCapacity : step.bandRange)
            if let map { try BandAssembler(reader: reader).assemble(map, band: step.band, into: buffers.band) }
            if map != nil { layLabel(over: step, buffers.band) }
            for part in step.parts(map, held: []) where part.content != .unused {
                var position = part.range.lowerBound
                while position < part.range.upperBound {
                    try cancellation.check()
                    let count = Int(min(UInt64(buffers.compare.byteCapacity), part.range.upperBound - position))
                    let expected = unsafe buffers.band.base + (map == nil ? 0 : step.bandRange.lowerBound + Int(position))
                    try unsafe verify(expected, count, at: step.imageOffset + position, buffers.compare)
                    position += UInt64(count)
                }
            }
        }
    }

    /// Puts the bytes of the label where the band has others.
    private func layLabel(over step: RestoreStep, _ buffer: AlignedBuffer) {
        for sectors in label {
            let range = (sectors.offset..<sectors.offset + UInt64(sectors.bytes.count)).clamped(to: step.imageOffset..<step.imageOffset + step.byteCount)
            guard !range.isEmpty else { continue }
            let start = step.bandRange.lowerBound + Int(range.lowerBound - step.imageOffset)
            unsafe sectors.bytes.withUnsafeBytes { bytes in
                unsafe buffer.copy(UnsafeRawBufferPointer(rebasing: bytes[Int(range.lowerBound - sectors.offset)..<Int(range.upperBound - sectors.offset)]), at: start)
            }
        }
    }

    private func verifyLabel() throws(RepositoryError) {
        for sectors in label {
            var bytes = [UInt8](repeating: 0, count: sectors.bytes.count)
            var span = bytes.mutableSpan
            let count = try imaging { () throws(ImageError) in try target.writer.read(at: sectors.offset, into: &span) }
            guard count == bytes.count, bytes == sectors.bytes else { throw .verificationFailed(target: targetName, offset: sectors.offset) }
        }
    }

    private func verify(
        _ expected: UnsafeMutableRawPointer, _ count: Int, at offset: UInt64, _ compare: AlignedBuffer
    ) throws(RepositoryError) {
        if target.writer.isHole(offset..<offset + UInt64(count)) {
            compare.zero(0..<count)
        } else {
            let read = try imaging { () throws(ImageError) in
                try compare.withMutableBytes(in: 0..<count) { bytes throws(ImageError) in try target.writer.read(at: offset, into: &bytes) }
            }
            guard read == count else { throw .verificationFailed(target: targetName, offset: offset) }
        }
        guard unsafe memcmp(compare.base, expected, count) == 0 else { throw .verificationFailed(target: targetName, offset: offset) }
    }

    /// Nil for a uniform run.
    private func map(of step: RestoreStep) throws(RepositoryError) -> BandMap? {
        step.slot.kind == .map ? try step.tree.bandMap(step.band, step.slot) : nil
    }

    /// Data from the band buffer, zeros where there is none. What is not in use stays as it is, unless everything must be written.
    private func write(_ step: RestoreStep, _ parts: [RestorePart], _ buffers: Buffers) throws(ImageError) {
        for part in parts {
            let place = step.imageOffset + part.range.lowerBound
            let byteCount = part.range.upperBound - part.range.lowerBound
            switch part.content {
            case .data:
                let start = step.bandRange.lowerBound + Int(part.range.lowerBound)
                try target.write(buffers.band, start..<start + Int(byteCount), at: place, compare: buffers.compare)
            case .held: continue
            case .unused where !target.writer.isOrdered: continue
            case .zeros, .unused: try target.writeZeros(at: place, byteCount: byteCount, compare: buffers.compare)
            }
        }
    }

    /// Runs `body` for all steps on all threads; the first failure ends it.
    private func forEachStep(
        _ body: @escaping @Sendable (RestoreStep, Buffers, Turn) throws(RepositoryError) -> Void
    ) throws(RepositoryError) {
        let plan = RestorePlan(placements) { MapTreeReader(reader, root: $0.root, geometry: $0.geometry) }
        let failure = FirstFailure<RepositoryError>()
        let turn = Turn(isNeeded: target.writer.isOrdered)
        onThreads(threadCount, "restore") { _ in
            let buffers = Buffers()
            do throws(RepositoryError) {
                while failure.value == nil, let step = try plan.next() {
                    try cancellation.check()
                    try body(step, buffers, turn)
                    progress.doneByteCount.add(step.byteCount, ordering: .relaxed)
                }
            } catch {
                failure.record(error)
                turn.cancel()
            }
        }
        try failure.check()
    }

    private static func joined(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        var joined: [Range<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, last.upperBound == range.lowerBound {
                joined[joined.count - 1] = last.lowerBound..<range.upperBound
            } else {
                joined.append(range)
            }
        }
        return joined
    }
}

/// A range of a step, and what is to become of it.
private struct RestorePart {
    enum Content {
        case data
        /// The target has these bytes.
        case held
        case zeros
        case unused
    }

    var content: Content
    /// Counted from the start of the step.
    var range: Range<UInt64>
}

extension RestoreStep {
    /// All of the step in order, neighbours with the same content joined.
    fileprivate func parts(_ map: BandMap?, held: Set<Int>) -> [RestorePart] {
        guard let map else { return [RestorePart(content: slot.kind == .unused ? .unused : .zeros, range: 0..<byteCount)] }
        var parts: [RestorePart] = []
        var position = 0
        for (number, entry) in map.entries.enumerated() {
            let range = (position..<position + Int(entry.byteCount)).clamped(to: bandRange)
            position += Int(entry.byteCount)
            if range.isEmpty { continue }
            let content: RestorePart.Content =
                switch entry.kind {
                case .data: held.contains(number) ? .held : .data
                case .unused: .unused
                case .zero, .excluded, .unreadable, .map, .node: .zeros
                }
            let (start, end) = (UInt64(range.lowerBound - bandRange.lowerBound), UInt64(range.upperBound - bandRange.lowerBound))
            if let last = parts.last, last.content == content {
                parts[parts.count - 1].range = last.range.lowerBound..<end
            } else {
                parts.append(RestorePart(content: content, range: start..<end))
            }
        }
        return parts
    }

    /// Ranges of the image that the snapshot has as unreadable.
    fileprivate func unreadableRanges(_ map: BandMap?) -> [Range<UInt64>] {
        guard let map else { return slot.kind == .unreadable ? [imageOffset..<imageOffset + byteCount] : [] }
        var ranges: [Range<UInt64>] = []
        var position = 0
        for entry in map.entries {
            let part = (position..<position + Int(entry.byteCount)).clamped(to: bandRange)
            if entry.kind == .unreadable, !part.isEmpty {
                let start = imageOffset + UInt64(part.lowerBound - bandRange.lowerBound)
                ranges.append(start..<start + UInt64(part.count))
            }
            position += Int(entry.byteCount)
        }
        return ranges
    }
}
