import Dispatch

/// Makes a thread wait until another has come so far; not for ever, so that a test that fails ends.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    func pass() { _ = semaphore.wait(timeout: .now() + .seconds(20)) }
}
