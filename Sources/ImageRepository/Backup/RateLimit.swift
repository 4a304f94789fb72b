import Glibc
import Synchronization

/// Makes a reader sleep so that it reads no more than so many bytes a second on average.
final class RateLimit: Sendable {
    private let bytesPerSecond: UInt64
    private let start: ContinuousClock.Instant
    private let total = Atomic<UInt64>(0)

    /// - Precondition: more than 0.
    init(bytesPerSecond: UInt64) {
        precondition(bytesPerSecond > 0, "a limit above 0")
        self.bytesPerSecond = bytesPerSecond
        start = .now
    }

    func wait(afterReading byteCount: Int) {
        let read = total.add(UInt64(byteCount), ordering: .relaxed).newValue
        let due = start + .microseconds(Int64(Double(read) / Double(bytesPerSecond) * 1e6))
        let rest = ContinuousClock.now.duration(to: due)
        guard rest > .zero else { return }
        let (seconds, attoseconds) = rest.components
        // Signals are blocked on the pipeline's threads; one that comes anyway shortens the sleep, and the next one makes up for it.
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        unsafe nanosleep(&time, nil)
    }
}
