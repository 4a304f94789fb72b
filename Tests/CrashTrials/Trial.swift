import Storage
package import TestSupport

/// One run of an operation with a fault at one of its calls, and what that may leave behind.
package struct Trial: Sendable, CustomStringConvertible {
    package let operation: CrashOperation
    /// Number of the storage's call, from 0.
    package let position: Int
    package let fault: StorageFault
    /// Decides which combinations of unsynchronised names are tried where there are too many for all.
    package let seed: UInt64

    package init(_ operation: CrashOperation, position: Int, fault: StorageFault, seed: UInt64) {
        (self.operation, self.position, self.fault, self.seed) = (operation, position, fault, seed)
    }

    package var description: String { "\(operation.rawValue), position \(position), fault \(fault.name), seed \(seed)" }

    /// All faults that make a difference for a call. A death at one that changes nothing leaves what the death before the next change leaves.
    private static func faults(_ operation: StorageOperation) -> [StorageFault] {
        StorageFault.all.filter { fault in
            if operation.isMutating { true } else if case .fails = fault { true } else { false }
        }
    }

    /// All trials of one operation.
    package static func all(of operation: CrashOperation, _ script: Script, seed: UInt64) throws -> [Trial] {
        try Run(script, on: script.storage, nil, at: 0).operations.enumerated().flatMap { position, call in
            faults(call).map { Trial(operation, position: position, fault: $0, seed: seed &+ UInt64(position)) }
        }
    }

    /// Runs it, examines all that the storage may hold then, and returns what is wrong.
    package func report(_ script: Script) -> TrialReport {
        var report = TrialReport()
        do {
            let run = try Run(script, on: script.storage, fault, at: position)
            report.isMet = run.operations.count > position
            report.isAcknowledged = run.isAcknowledged
            let call = run.operations.indices.contains(position) ? "\(run.operations[position])" : "none"
            for state in run.states(seed: seed) {
                // Before the examination, which changes it.
                let seconds = fault.isDeath ? try dieAgain(in: state, run.operations.count, script) : []
                examine(state, of: run, script, "\(self) (\(call))", &report)
                for second in seconds {
                    for left in second.run.states(seed: seed).prefix(script.secondStateCountMax) {
                        examine(left, of: second.run, script, "\(self) (\(call)), \(state.name); repeated and dead after \(second.position)", &report)
                    }
                }
            }
        } catch {
            report.failures.append("\(self): \(error)")
        }
        return report
    }

    private func examine(_ state: Run.State, of run: Run, _ script: Script, _ what: String, _ report: inout TrialReport) {
        report.stateCount += 1
        do { try Examination(script, state.storage, run).examine(isThorough: report.stateCount % 4 == 1) } catch { report.failures.append("\(what), \(state.name): \(error)") }
    }

    /// The operation is repeated, and its process dies as well, at calls chosen at random.
    private func dieAgain(in state: Run.State, _ callCount: Int, _ script: Script) throws -> [(run: Run, position: Int)] {
        var generator = SeededGenerator(seed: seed)
        return try (0..<script.secondDeathCount).map { _ in
            let position = Int.random(in: 0..<callCount, using: &generator)
            return (try Run(script, on: state.storage, processID: 6, .crashAfter, at: position), position)
        }
    }
}

/// What came of a trial.
package struct TrialReport: Sendable {
    package var stateCount = 0
    /// The call at that position was made.
    package var isMet = false
    /// The operation said that it succeeded.
    package var isAcknowledged = false
    package var failures: [String] = []
}

extension StorageFault {
    static let passing = StorageError.unavailable(object: "storage", reason: "injected")
    package static let all: [StorageFault] = [
        .crashBefore, .crashAfter, .fails(.failed(object: "storage", operation: "a call", reason: "injected")), .fails(passing), .replyLost(passing),
    ]

    var isDeath: Bool { self == .crashBefore || self == .crashAfter }

    /// As the command line of the campaign knows it.
    package var name: String {
        switch self {
        case .crashBefore: "crash-before"
        case .crashAfter: "crash-after"
        case .fails(.unavailable): "unavailable"
        case .fails: "fails"
        case .replyLost: "reply-lost"
        }
    }
}
