import ArgumentParser

/// A command of the tool: what it does, without how it says it.
protocol Command: ParsableCommand {
    var console: Console { get }

    func execute(_ console: Console) throws(Failure) -> ExitStatus
}

extension Command {
    func run() throws {
        let console = console
        var status: ExitStatus
        do throws(Failure) {
            status = try execute(console)
        } catch {
            console.status(nil)
            console.report(error)
            status = error.status
        }
        if let failure = console.outputFailure {
            console.report(failure)
            if status == .done { status = failure.status }
        }
        if status != .done { throw ExitCode(status.rawValue) }
    }
}
