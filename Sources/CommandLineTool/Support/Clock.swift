import Glibc

/// Times of this machine.
enum Clock {
    /// Seconds since 1970.
    static var now: Int64 { Int64(read(CLOCK_REALTIME).tv_sec) }

    /// Milliseconds since some moment in the past; never goes back.
    static var monotonicMilliseconds: UInt64 {
        let time = read(CLOCK_MONOTONIC)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return time
    }
}
