import Glibc

/// A thread of the tool's own, beside those of the library.
@safe
struct BackgroundThread: @unchecked Sendable {
    private let thread: pthread_t

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Nil where the machine has no room for another thread; `run` never runs then.
    init?(_ run: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        // The new thread takes the reference over.
        let body = unsafe Unmanaged.passRetained(Body(run)).toOpaque()
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, body)
        guard result == 0 else {
            unsafe Unmanaged<Body>.fromOpaque(body).release()
            return nil
        }
        self.thread = thread
    }

    /// Returns when the thread has ended; to be called once.
    func join() { pthread_join(thread, nil) }
}
