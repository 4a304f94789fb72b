import Glibc

/// Something that must not happen did. The process ends at once: the threads of a run that went wrong cannot be gone back on.
enum Violation {
    /// Of the run.
    nonisolated(unsafe) static var seed: UInt64 = 0

    static func report(_ text: String) -> Never {
        print("violation at seed \(unsafe seed): \(text)")
        print("see it with: Simulation --seed \(unsafe seed) --trace")
        fflush(nil)
        _exit(1)
    }
}
