import Bytes
import DiskImages
import DiskLayout
import Packing
import RepositoryFormat
import Sealing
import Synchronization
import Threading

/// The first pass of a restore, which writes.
struct RestoreRun: Sendable {
    let placements: [VolumePlacement]
    let inserts: [ImageInsert]
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
    struct Buffers: Sendable {
        let band = AlignedBuffer(byteCapacity: FormatLimits.bandByteCount)
        /// With room for the rest of the first and the last block.
        let compare = AlignedBuffer(byteCapacity: RestoreTarget.pieceByteCount + 2 * AlignedBuffer.alignment)
    }

    /// Returns the ranges that were unreadable when the snapshot was made.
    func write() throws(RepositoryError) -> [Range<UInt64>] {
        let unreadable = Monitor<[Range<UInt64>]>([])
        try forEachStep { step, buffers, turn throws(RepositoryError) in
            let map = try map(of: step)
            let found = try map.map { map throws(RepositoryError) in try entriesHeld(map, step, buffers) } ?? HeldEntries(step)
            var differences: [Range<Int>] = []
            if let map {
                try unsafe BandAssembler(reader: reader).assemble(map, band: step.band, into: buffers.band, held: found.held) { number, range, bytes in
                    switch found.answers[number] {
                    case .replaced: differences += unsafe found.differences(buffers.band, range, bytes)
                    case .uncompared: differences.append(range)
                    case .held, nil: return
                    }
                }
            }
            try turn.inOrder(step.number) { () throws(RepositoryError) in
                try imaging { () throws(ImageError) in
                    try write(step, step.parts(map, held: Set(found.answers.keys)), buffers)
                    for range in found.written(differences) {
                        try target.put(buffers.band, range, at: step.imageOffset + UInt64(range.lowerBound - step.bandRange.lowerBound))
                    }
                }
            }
            let unreadableRanges = step.unreadableRanges(map)
            if !unreadableRanges.isEmpty { unreadable.withLock { $0 += unreadableRanges } }
        }
        try writeInserts()
        // Last, so that a target that is not complete has no label.
        for sectors in label {
            try imaging { () throws(ImageError) in try target.writer.write(sectors.bytes.span, at: sectors.offset) }
        }
        return RestoreRun.joined(unreadable.withLock { $0 })
    }

    /// Nil for a uniform run.
    func map(of step: RestoreStep) throws(RepositoryError) -> BandMap? {
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
            case .unused where !target.writer.isOrdered: try target.discard(at: place, byteCount: byteCount)
            case .zeros, .unused: try target.writeZeros(at: place, byteCount: byteCount, compare: buffers.compare)
            }
        }
    }

    /// Runs `body` for all steps on all threads; the first failure ends it.
    func forEachStep(
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
