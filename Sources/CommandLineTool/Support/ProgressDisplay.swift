import Glibc
import ImageRepository
import Synchronization

/// Shows the counters of a running operation, from a thread of its own.
///
/// Where there is no room for the thread nothing is shown. On a terminal one line is redrawn; elsewhere there is a plain line every half minute, or an object a second in JSON format.
struct ProgressDisplay: ~Copyable {
    private let thread: BackgroundThread?
    private let end: End

    private final class End: Sendable {
        let wakeUp: WakeUp

        init() throws(Failure) { wakeUp = try WakeUp() }
    }

    init(console: Console, kind: ProgressText.Kind, counters: ProgressCounters) throws(Failure) {
        let end = try End()
        self.end = end
        let isJSON = console.format == .json
        guard isJSON || !console.isQuiet else {
            thread = nil
            return
        }
        let milliseconds: Int32 = isJSON ? 1000 : console.isInteractive ? 250 : 30_000
        thread = BackgroundThread {
            var meter = ProgressMeter(start: Clock.monotonicMilliseconds)
            while !end.wakeUp.wait(milliseconds: milliseconds) {
                let reading = meter.read(.init(counters), at: Clock.monotonicMilliseconds)
                let line = ProgressText.line(reading, kind)
                if isJSON {
                    console.print(json: ProgressText.json(reading, kind))
                } else if console.isInteractive {
                    console.status(String(line.prefix(terminalColumnCount() - 1)))
                } else {
                    console.note(line)
                }
            }
            console.status(nil)
        }
    }

    /// Removes the line. Nothing is shown afterwards.
    consuming func finish() {
        end.wakeUp.wake()
        thread?.join()
    }
}

extension ProgressMeter.Sample {
    init(_ counters: ProgressCounters) {
        self.init(
            totalByteCount: counters.totalByteCount.load(ordering: .relaxed), doneByteCount: counters.doneByteCount.load(ordering: .relaxed),
            readByteCount: counters.readByteCount.load(ordering: .relaxed), newByteCount: counters.newByteCount.load(ordering: .relaxed),
            storedByteCount: counters.storedByteCount.load(ordering: .relaxed))
    }
}

/// Columns of the terminal on standard error; 80 if it does not tell.
private func terminalColumnCount() -> Int {
    var size = winsize()
    guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 80 }
    return Int(size.ws_col)
}
