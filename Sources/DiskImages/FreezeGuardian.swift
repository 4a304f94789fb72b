import CLinux
import Glibc

/// The process that keeps one file system frozen, and thaws it when its owner lets go, dies, or takes too long.
///
/// While it waits nothing can hold it up: no signal but SIGKILL reaches it, it has no terminal, and it writes to nothing but a pipe that it can fill never.
/// What it answers is two bytes, `Answer` and the error's number, once when it has tried to freeze and once when it has thawed.
package enum FreezeGuardian {
    /// What the program is started with to become one, followed by the longest time of freezing in milliseconds.
    package static let argument = "--freeze-guardian"
    /// What it gets the file system as. Standard input is the pipe whose end means that the owner let go.
    static let descriptor: Int32 = 3

    enum Answer: UInt8 {
        case frozen = 1
        /// Thawed when the owner let go.
        case released
        /// Thawed because it took too long.
        case expired
    }

    /// To be called before any thread is started.
    package static func run(milliseconds: UInt64) -> Never {
        ignoreSignals()
        detach()
        guard holdfast_freeze(descriptor) == 0 else {
            answer(.frozen, errno)
            _exit(1)
        }
        answer(.frozen, 0)
        let reason = waitForOwner(milliseconds)
        answer(reason, holdfast_thaw(descriptor) == 0 ? 0 : errno)
        _exit(0)
    }

    /// Linux has no more on any architecture that counts (signal(7)).
    private static let signalNumberMax: Int32 = 64

    private static func ignoreSignals() {
        for number in 1...signalNumberMax where number != SIGKILL && number != SIGSTOP { _ = signal(number, SIG_IGN) }
    }

    /// Keeps nothing open or in use that belongs to others, and is not the first to go where memory is short. All of it may fail.
    private static func detach() {
        unsafe holdfast_name_thread("holdfast-thaw")
        _ = unsafe chdir("/")
        let null = unsafe open("/dev/null", O_WRONLY)
        if null >= 0 { _ = dup2(null, STDERR_FILENO) }
        let score = unsafe open("/proc/self/oom_score_adj", O_WRONLY)
        if score >= 0 { _ = unsafe write(score, "-1000", 5) }
        _ = holdfast_lock_memory()
    }

    private static func waitForOwner(_ milliseconds: UInt64) -> Answer {
        let end = MonotonicClock.milliseconds + milliseconds
        while true {
            let now = MonotonicClock.milliseconds
            guard now < end else { return .expired }
            var request = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            if unsafe poll(&request, 1, Int32(min(end - now, 1 << 30))) > 0 { return .released }
        }
    }

    private static func answer(_ answer: Answer, _ number: Int32) {
        // Who is not there any more needs no answer.
        _ = unsafe write(STDOUT_FILENO, [answer.rawValue, UInt8(truncatingIfNeeded: number)], 2)
    }
}

enum MonotonicClock {
    static var milliseconds: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
