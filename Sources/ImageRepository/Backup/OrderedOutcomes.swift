import Threading

/// Outcomes of bands that arrive in any order and are taken in the order of bands.
///
/// Who produces waits when the outcome that is wanted next lags far behind: memory stays bounded.
final class OrderedOutcomes: Sendable {
    private static let waitingMax = 256

    private struct State {
        var waiting: [UInt64: BandOutcome] = [:]
        var next: UInt64 = 0
        var isClosed = false
    }

    private let monitor = Monitor(State())

    func put(_ outcome: BandOutcome, at band: UInt64) {
        monitor.wait { state -> Void? in
            guard state.waiting.count < OrderedOutcomes.waitingMax || band == state.next || state.isClosed else { return nil }
            state.waiting[band] = outcome
            return ()
        }
    }

    /// The outcome of the next bands, with the number of the first; nil after `close` when it will not come any more.
    func take() -> (band: UInt64, outcome: BandOutcome)? {
        monitor.wait { state -> (band: UInt64, outcome: BandOutcome)?? in
            if let outcome = state.waiting.removeValue(forKey: state.next) {
                let band = state.next
                state.next += outcome.bandCount
                return .some((band, outcome))
            }
            return state.isClosed ? .some(nil) : nil
        }
    }

    /// Nothing more will be put.
    func close() { monitor.withLock { $0.isClosed = true } }
}
