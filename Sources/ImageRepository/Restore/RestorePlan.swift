import RepositoryFormat
import Threading

/// A piece of an image that one worker restores: a band, or a run of bands of a uniform kind, cut to one placement.
struct RestoreStep: Sendable {
    /// 0, 1, 2 … in the order of the image.
    var number: Int
    var imageOffset: UInt64
    /// Within the volume.
    var volumeOffset: UInt64
    var byteCount: UInt64
    /// Of kind map, or uniform.
    var slot: MapSlot
    var tree: MapTreeReader

    var band: UInt64 { volumeOffset / UInt64(FormatLimits.bandByteCount) }

    /// The part of its band that the step covers, if it is one of kind map: all of it, unless the placement begins or ends within.
    var bandRange: Range<Int> {
        let start = Int(volumeOffset % UInt64(FormatLimits.bandByteCount))
        return start..<start + Int(byteCount)
    }
}

/// Hands out the steps of a restore in order, to any number of threads, without ever listing them all.
final class RestorePlan: Sendable {
    private static let stepByteCountMax: UInt64 = 1 << 30

    private struct Part {
        var imageOffset: UInt64
        var volumeOffset: UInt64
        var byteCount: UInt64
        var tree: MapTreeReader
    }

    private struct State {
        var parts: ArraySlice<Part>
        /// Within the first part.
        var position: UInt64 = 0
        var number = 0
    }

    /// Steps are found by reading the map, so a thread may wait for the storage in here.
    private let state: Monitor<State>

    init(_ placements: [VolumePlacement], _ makeTree: (VolumeRecord) -> MapTreeReader) {
        let parts = placements.filter { $0.byteCount > 0 }.map {
            Part(imageOffset: $0.offset, volumeOffset: $0.volumeOffset, byteCount: $0.byteCount, tree: makeTree($0.volume))
        }
        state = Monitor(State(parts: parts.sorted { $0.imageOffset < $1.imageOffset }[...]))
    }

    /// Nil when all steps were handed out.
    func next() throws(RepositoryError) -> RestoreStep? {
        let result = state.withLock { state -> Result<RestoreStep?, RepositoryError> in
            guard let part = state.parts.first else { return .success(nil) }
            do throws(RepositoryError) {
                let volumeOffset = part.volumeOffset + state.position
                let run = try part.tree.run(at: volumeOffset / UInt64(FormatLimits.bandByteCount))
                let end = min((run.firstBand + run.bandCount) * UInt64(FormatLimits.bandByteCount), part.volumeOffset + part.byteCount)
                // Long runs in pieces: several threads share them, and a cancellation is noticed between two.
                let runEnd = min(end, volumeOffset + RestorePlan.stepByteCountMax)
                let step = RestoreStep(
                    number: state.number, imageOffset: part.imageOffset + state.position, volumeOffset: volumeOffset,
                    byteCount: runEnd - volumeOffset, slot: run.slot, tree: part.tree)
                state.number += 1
                state.position += step.byteCount
                if state.position == part.byteCount {
                    state.parts.removeFirst()
                    state.position = 0
                }
                return .success(step)
            } catch { return .failure(error) }
        }
        return try result.get()
    }
}
