import Glibc

/// Times of this machine.
enum Clock {
    /// Seconds since 1970.
    static var now: Int64 { Int64(read(CLOCK_REALTIME).tv_sec) }

    /// Milliseconds since this was asked for the first time; never goes back.
    static var monotonicMilliseconds: UInt64 {
        let first = first
        return UInt64(max(0, milliseconds(of: read(CLOCK_MONOTONIC)) - first))
    }

    /// Below 0 on a machine whose clock was shifted to before 1970.
    private static let first = milliseconds(of: read(CLOCK_MONOTONIC))

    private static func milliseconds(of time: timespec) -> Int64 { Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000 }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return time
    }
}
