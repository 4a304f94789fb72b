import Testing
import Threading

/// The limit is for a queue that leaves somebody waiting for ever.
@Suite(.timeLimit(.minutes(10)))
struct BoundedQueueTests {
    @Test func `a full queue makes its producer wait, so it never holds more than its limit`() throws {
        let queue = BoundedQueue<Int>(limit: 3)
        let counts = Monitor((put: 0, taken: 0, most: 0))
        let producer = try WorkerThread("producer") {
            for number in 0..<1000 {
                #expect(queue.put(number))
                counts.withLock { state in
                    state.put += 1
                    state.most = max(state.most, state.put - state.taken)
                }
            }
            queue.close()
        }
        // Until somebody takes, the producer gets no further than the limit.
        counts.wait { $0.put >= 3 ? () : nil }
        var taken: [Int] = []
        while true {
            guard let number = queue.take() else { break }
            counts.withLock { $0.taken += 1 }
            taken.append(number)
        }
        producer.join()
        #expect(taken == Array(0..<1000))
        // One may be taken and not yet counted.
        #expect(counts.withLock { $0.most } <= 4)
    }

    @Test func `a closed queue refuses what is put and gives what is left`() {
        let queue = BoundedQueue<Int>(limit: 2)
        #expect(queue.put(1))
        #expect(queue.put(2))
        queue.close()
        #expect(!queue.put(3))
        #expect(queue.take() == 1)
        #expect(queue.take() == 2)
        #expect(queue.take() == nil)
        #expect(queue.take() == nil)
    }

    @Test func `closing wakes a producer that waits for room`() throws {
        let queue = BoundedQueue<Int>(limit: 1)
        #expect(queue.put(1))
        let outcome = Monitor<Bool?>(nil)
        let producer = try WorkerThread("producer") {
            let taken = queue.put(2)
            outcome.withLock { $0 = taken }
        }
        queue.close()
        producer.join()
        #expect(outcome.withLock { $0 } == false)
    }

    @Test func `closing wakes consumers that wait for elements`() throws {
        let queue = BoundedQueue<Int>(limit: 1)
        let ended = Monitor(0)
        let consumers = try (0..<3).map { number in
            try WorkerThread("consumer \(number)") {
                if queue.take() == nil { ended.withLock { $0 += 1 } }
            }
        }
        queue.close()
        for consumer in consumers { consumer.join() }
        #expect(ended.withLock { $0 } == 3)
    }

    @Test func `each element goes to exactly one consumer`() throws {
        let queue = BoundedQueue<Int>(limit: 4)
        let seen = Monitor<[Int]>([])
        let consumers = try (0..<4).map { number in
            try WorkerThread("consumer \(number)") {
                while let element = queue.take() { seen.withLock { $0.append(element) } }
            }
        }
        for number in 0..<2000 { _ = queue.put(number) }
        queue.close()
        for consumer in consumers { consumer.join() }
        #expect(seen.withLock { $0.sorted() } == Array(0..<2000))
    }
}

struct PoolTests {
    @Test func `no more things are lent than there are`() {
        let pool = Pool([1, 2])
        let lent = Monitor((now: 0, most: 0))
        onThreads(6, "borrower") { _ in
            for _ in 0..<200 {
                let thing = pool.take()
                lent.withLock { state in
                    state.now += 1
                    state.most = max(state.most, state.now)
                }
                lent.withLock { $0.now -= 1 }
                pool.giveBack(thing)
            }
        }
        #expect(lent.withLock { $0.most } <= 2)
        #expect(Set([pool.take(), pool.take()]) == [1, 2])
    }
}

struct FirstFailureTests {
    private enum Trouble: Error, Equatable { case number(Int) }

    @Test func `the first failure stays`() {
        let failure = FirstFailure<Trouble>()
        #expect(failure.value == nil)
        failure.record(.number(1))
        failure.record(.number(2))
        #expect(throws: Trouble.number(1)) { try failure.check() }
    }
}
