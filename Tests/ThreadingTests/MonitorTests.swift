import Testing
import Threading

struct MonitorTests {
    private enum Trouble: Error { case expected }

    @Test func `changes of many threads are not lost`() {
        let monitor = Monitor(0)
        onThreads(8, "adder") { _ in for _ in 0..<5000 { monitor.withLock { $0 += 1 } } }
        #expect(monitor.withLock { $0 } == 40_000)
    }

    @Test func `threads that wait for each other take turns`() {
        let monitor = Monitor<[Int]>([])
        onThreads(3, "turn") { number in
            for round in 0..<100 {
                _ = monitor.wait { turns -> Bool? in
                    guard turns.count == round * 3 + number else { return nil }
                    turns.append(number)
                    return true
                }
            }
        }
        #expect(monitor.withLock { $0 } == (0..<300).map { $0 % 3 })
    }

    @Test func `an error leaves the monitor usable`() {
        let monitor = Monitor(1)
        #expect(throws: Trouble.self) { try monitor.withLock { _ throws(Trouble) in throw .expected } }
        #expect(throws: Trouble.self) { try monitor.wait { _ throws(Trouble) -> Int? in throw .expected } }
        #expect(monitor.withLock { $0 } == 1)
    }
}

struct WorkerThreadTests {
    @Test func `each number runs exactly once, and all have run at the end`() {
        let seen = Monitor<[Int]>([])
        onThreads(16, "number") { number in seen.withLock { $0.append(number) } }
        #expect(seen.withLock { $0.sorted() } == Array(0..<16))
    }

    @Test func `joining twice is harmless`() throws {
        let done = Monitor(false)
        let thread = try WorkerThread("a name longer than fifteen characters") { done.withLock { $0 = true } }
        thread.join()
        #expect(done.withLock { $0 })
        thread.join()
    }

    @Test func `there is at least one core to use`() { #expect(usableCoreCount() >= 1) }
}
