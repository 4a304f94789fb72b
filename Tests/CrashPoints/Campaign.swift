import CrashTrials
import Glibc
import Threading

/// Runs the trials of one operation after another, on all cores, and counts.
struct Campaign {
    private let options: CampaignOptions
    private var stateCount = 0
    private var failureCount = 0

    init(_ options: CampaignOptions) { self.options = options }

    mutating func run(_ operation: CrashOperation) throws {
        let script = try operation.makeScript()
        let all = try Trial.all(of: operation, script, seed: options.seed)
        let trials = all.enumerated().filter { number, trial in
            number % options.stride == 0 && options.position ?? trial.position == trial.position && options.fault ?? trial.fault == trial.fault
        }.map(\.element)
        let state = Monitor((next: 0, stateCount: 0, acknowledgedCount: 0, unmetCount: 0, failures: [String]()))
        onThreads(usableCoreCount(), "trials") { _ in
            while let trial = state.withLock({ state -> Trial? in
                guard state.next < trials.count else { return nil }
                state.next += 1
                return trials[state.next - 1]
            }) {
                let report = trial.report(script)
                state.withLock { state in
                    state.stateCount += report.stateCount
                    state.acknowledgedCount += report.isAcknowledged ? 1 : 0
                    state.unmetCount += report.isMet ? 0 : 1
                    state.failures += report.failures
                }
            }
        }
        let result = state.withLock { $0 }
        let callCount = (all.last?.position ?? -1) + 1
        print("\(operation.rawValue): \(callCount) calls, \(trials.count) trials, of which \(result.acknowledgedCount) succeeded, \(result.stateCount) states")
        if result.unmetCount > 0 { print("\(operation.rawValue): \(result.unmetCount) trials ended before their call") }
        for failure in result.failures { print("FAILED: \(failure)") }
        fflush(nil)
        stateCount += result.stateCount
        failureCount += result.failures.count + result.unmetCount
    }

    private var isLarge: Bool { !options.isWhole || stateCount >= CampaignOptions.stateCountMin }

    var isPassed: Bool { failureCount == 0 && stateCount > 0 && isLarge }

    var summary: String {
        "\(stateCount) states examined, \(failureCount) failures" + (isLarge ? "" : "; there should be \(CampaignOptions.stateCountMin) states at least")
    }
}
