import Glibc

/// Keeps a write to a closed pipe from ending the program, without changing how the program as a whole treats SIGPIPE.
enum BrokenPipe {
    /// Runs `body`, one system call that answers -1 and `errno`, with SIGPIPE held back from this thread.
    static func withoutSignal(_ body: () -> Int) -> (result: Int, error: SystemError) {
        var pipe = sigset_t()
        var before = sigset_t()
        var pending = sigset_t()
        unsafe sigemptyset(&pipe)
        unsafe sigaddset(&pipe, SIGPIPE)
        unsafe sigpending(&pending)
        // One that was pending before is not ours to take away.
        let wasPending = unsafe sigismember(&pending, SIGPIPE) == 1
        unsafe pthread_sigmask(SIG_BLOCK, &pipe, &before)
        let result = body()
        let error = SystemError.last
        if result < 0, error.number == EPIPE, !wasPending {
            var none = timespec(tv_sec: 0, tv_nsec: 0)
            unsafe sigtimedwait(&pipe, nil, &none)
        }
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        return (result, error)
    }
}
