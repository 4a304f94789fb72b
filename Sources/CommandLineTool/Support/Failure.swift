/// Why a command did not succeed: one line for a person, one number for a script.
struct Failure: Error, Equatable {
    /// What happened, to which object or file; what to do next.
    var message: String
    var status: ExitStatus

    init(_ message: String, status: ExitStatus = .failed) {
        self.message = message
        self.status = status
    }

    static let interrupted = Failure("interrupted", status: .interrupted)
}
