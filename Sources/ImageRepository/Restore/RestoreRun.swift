import Bytes
import DiskImages
import Glibc
import Packing
import RepositoryFormat
import Synchronization
import Threading

/// The two passes of a restore: write, and read back.
struct RestoreRun: Sendable {
    let image: ImageRecord
    let reader: SegmentReader
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
            let ranges = try map.map { map throws(RepositoryError) in try BandAssembler(reader: reader).assemble(map, band: step.band, into: buffers.band) } ?? []
            try turn.inOrder(step.number) { () throws(RepositoryError) in
                try imaging { () throws(ImageError) in try write(step, ranges, buffers) }
            }
            let found = step.unreadableRanges(map)
            if !found.isEmpty { unreadable.withLock { $0 += found } }
        }
        return RestoreRun.joined(unreadable.withLock { $0 })
    }

    /// Reads everything back and compares it with the snapshot. Where the target is known to be a hole, zeros are expected and nothing is read.
    func verify() throws(RepositoryError) {
        try forEachStep { step, buffers, _ throws(RepositoryError) in
            let map = try map(of: step)
            if map == nil, target.writer.isHole(step.imageOffset..<step.imageOffset + step.byteCount) { return }
            buffers.band.zero(map == nil ? 0..<buffers.compare.byteCapacity : step.bandRange)
            if let map { _ = try BandAssembler(reader: reader).assemble(map, band: step.band, into: buffers.band) }
            var position: UInt64 = 0
            while position < step.byteCount {
                try cancellation.check()
                let count = Int(min(UInt64(buffers.compare.byteCapacity), step.byteCount - position))
                let expected = unsafe buffers.band.base + (map == nil ? 0 : step.bandRange.lowerBound + Int(position))
                try unsafe verify(expected, count, at: step.imageOffset + position, buffers.compare)
                position += UInt64(count)
            }
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

    /// Data ranges from the band buffer, zeros between them.
    private func write(_ step: RestoreStep, _ ranges: [Range<Int>], _ buffers: Buffers) throws(ImageError) {
        var written: UInt64 = 0
        func zeros(to end: UInt64) throws(ImageError) {
            guard written < end else { return }
            try target.writeZeros(at: step.imageOffset + written, byteCount: end - written, compare: buffers.compare)
            written = end
        }
        for range in ranges {
            let part = range.clamped(to: step.bandRange)
            guard !part.isEmpty else { continue }
            try zeros(to: UInt64(part.lowerBound - step.bandRange.lowerBound))
            try target.write(buffers.band, part, at: step.imageOffset + written, compare: buffers.compare)
            written += UInt64(part.count)
        }
        try zeros(to: step.byteCount)
    }

    /// Runs `body` for all steps on all threads; the first failure ends it.
    private func forEachStep(
        _ body: @escaping @Sendable (RestoreStep, Buffers, Turn) throws(RepositoryError) -> Void
    ) throws(RepositoryError) {
        let plan = RestorePlan(image) { MapTreeReader(reader, root: $0.root, geometry: $0.geometry) }
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

extension RestoreStep {
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
