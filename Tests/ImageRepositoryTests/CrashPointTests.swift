import CrashTrials
import Testing

/// A part of the crash campaign, which is a program of its own: `swift run -c release CrashPoints`.
struct CrashPointTests {
    @Test(arguments: CrashOperation.allCases) func `an operation interrupted at some calls loses nothing acknowledged`(operation: CrashOperation) throws {
        var script = try operation.makeScript()
        script.secondDeathCount = 0
        let all = try Trial.all(of: operation, script, seed: 1)
        var stateCount = 0
        // A prime, so that calls and faults come in changing pairs.
        for number in stride(from: 7, to: all.count, by: 197) {
            let report = all[number].report(script)
            #expect(report.failures == [] && report.isMet)
            stateCount += report.stateCount
        }
        #expect(stateCount > 0)
    }
}
