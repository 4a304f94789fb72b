/// A first-in-first-out queue between threads that holds a limited number of items; a full queue makes its producer wait.
package final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isClosed = false
    }

    private let limit: Int
    private let monitor = Monitor(State())

    /// - Parameter limit: items, at least 1.
    package init(limit: Int) {
        precondition(limit > 0, "a queue holds something")
        self.limit = limit
    }

    /// Waits for room. False if the queue was closed: the element was not taken.
    package func put(_ element: Element) -> Bool {
        monitor.wait { state -> Bool? in
            if state.isClosed { return false }
            guard state.elements.count < limit else { return nil }
            state.elements.append(element)
            return true
        }
    }

    /// Waits for an element. Nil when the queue is closed and empty.
    package func take() -> Element? {
        monitor.wait { state -> Element?? in
            if !state.elements.isEmpty { return .some(state.elements.removeFirst()) }
            return state.isClosed ? .some(nil) : nil
        }
    }

    /// No more elements: producers are refused, consumers get what is left.
    package func close() { monitor.withLock { $0.isClosed = true } }
}

/// A fixed number of things that threads borrow; who finds none waits.
package final class Pool<Element: Sendable>: Sendable {
    private let monitor: Monitor<[Element]>

    package init(_ elements: [Element]) { monitor = Monitor(elements) }

    package func take() -> Element { monitor.wait { $0.popLast() } }
    package func giveBack(_ element: Element) { monitor.withLock { $0.append(element) } }
}

/// The first failure of several threads; everybody can see whether there is one.
package final class FirstFailure<Failure: Error>: Sendable {
    private let monitor = Monitor<Failure?>(nil)

    package init() {}

    package func record(_ failure: Failure) { monitor.withLock { if $0 == nil { $0 = failure } } }

    package var value: Failure? { monitor.withLock { $0 } }

    package func check() throws(Failure) { if let value { throw value } }
}
