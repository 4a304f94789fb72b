/// What a person wants to know of a running operation, computed from counts at known times.
struct ProgressMeter {
    struct Sample: Equatable {
        var totalByteCount: UInt64 = 0
        var doneByteCount: UInt64 = 0
        var readByteCount: UInt64 = 0
        var newByteCount: UInt64 = 0
        var storedByteCount: UInt64 = 0
    }

    struct Reading: Equatable {
        var sample: Sample
        var seconds: UInt64
        /// Over about the last ten seconds.
        var bytesPerSecond: UInt64
        /// Nil while nobody can know.
        var secondsLeft: UInt64?
        /// 0…1000; nil when the total is not known.
        var permille: UInt64?
    }

    /// How far back the rate looks, in milliseconds.
    private static let windowMilliseconds: UInt64 = 10_000

    private let start: UInt64
    private var history: [(milliseconds: UInt64, byteCount: UInt64)]

    /// - Parameter start: milliseconds of a clock that never goes back.
    init(start: UInt64) {
        self.start = start
        history = [(start, 0)]
    }

    mutating func read(_ sample: Sample, at milliseconds: UInt64) -> Reading {
        history.append((milliseconds, sample.doneByteCount))
        while history.count > 2, history[1].milliseconds + ProgressMeter.windowMilliseconds <= milliseconds { history.removeFirst() }
        let elapsed = milliseconds - history[0].milliseconds
        let advanced = sample.doneByteCount - min(history[0].byteCount, sample.doneByteCount)
        // Images have at most 2^50 bytes, so a thousand times that fits.
        let rate = elapsed == 0 ? 0 : advanced * 1000 / elapsed
        let left = sample.totalByteCount - min(sample.doneByteCount, sample.totalByteCount)
        let isBounded = sample.totalByteCount > 0
        return Reading(
            sample: sample, seconds: (milliseconds - start) / 1000, bytesPerSecond: rate,
            secondsLeft: isBounded && rate > 0 ? (left + rate - 1) / rate : nil,
            permille: isBounded ? min(1000, sample.doneByteCount * 1000 / sample.totalByteCount) : nil)
    }
}
