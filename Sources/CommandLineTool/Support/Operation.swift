import ImageRepository

/// Runs something long: with progress, and so that Ctrl-C stops it at a good place.
struct Operation {
    let console: Console
    let kind: ProgressText.Kind
    /// What else to say when it is asked to stop. It may end before it can: then this must be true as well.
    var onStopNote = ""
    /// What else must be done then, such as waking a reader that waits for input.
    var onStop: @Sendable () -> Void = {}

    func run<Result>(
        _ body: (_ progress: ProgressCounters, _ cancellation: Cancellation) throws(RepositoryError) -> Result
    ) throws(Failure) -> Result {
        let counters = ProgressCounters()
        let cancellation = Cancellation()
        let onStop = onStop
        let response = Interruption.Response(message: "stopping as soon as it can\(onStopNote)") {
            cancellation.cancel()
            onStop()
        }
        let display = try ProgressDisplay(console: console, kind: kind, counters: counters)
        do throws(RepositoryError) {
            let result = try Interruption.responding(with: response) { () throws(RepositoryError) in try body(counters, cancellation) }
            display.finish()
            return result
        } catch {
            display.finish()
            // What else failed then failed because of the stop, such as a source that was cut off.
            throw cancellation.isCancelled ? Failure.interrupted : Failure(error)
        }
    }
}
