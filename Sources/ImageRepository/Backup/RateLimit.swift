import Glibc
import Synchronization

/// Makes a reader sleep so that it reads no more than so many bytes a second on average.
final class RateLimit: Sendable {
    /// Below a second: how long a cancellation may go unnoticed.
    private static let longestSleep = Duration.milliseconds(200)

    private let bytesPerSecond: UInt64
    private let start: ContinuousClock.Instant
    private let total = Atomic<UInt64>(0)

    /// - Precondition: more than 0.
    init(bytesPerSecond: UInt64) {
        precondition(bytesPerSecond > 0, "a limit above 0")
        self.bytesPerSecond = bytesPerSecond
        start = .now
    }

    /// Sleeps as long as the limit asks for, or until the operation is cancelled.
    func wait(afterReading byteCount: Int, _ cancellation: Cancellation) {
        let read = total.add(UInt64(byteCount), ordering: .relaxed).newValue
        let due = start + .seconds(Double(read) / Double(bytesPerSecond))
        while !cancellation.isCancelled {
            let rest = min(ContinuousClock.now.duration(to: due), RateLimit.longestSleep)
            guard rest > .zero else { return }
            // Signals are blocked on the pipeline's threads; one that comes anyway shortens the sleep, and the next round makes up for it.
            var time = timespec(tv_sec: 0, tv_nsec: Int(rest.components.attoseconds / 1_000_000_000))
            unsafe nanosleep(&time, nil)
        }
    }
}
