import CInspectorSandbox
import Glibc

/// What the process may do after `enter`: read the source, write its answer, and end.
enum Sandbox {
    struct Failure: Error {
        let text: String
    }

    /// The number that the source has afterwards.
    static let source: Int32 = 3

    static func enter(_ arguments: InspectorArguments) throws(Failure) {
        try check(holdfast_sandbox_keep_only(arguments.descriptor, arguments.isServed ? 1 : 0), "the source cannot be kept as the only descriptor")
        try check(holdfast_sandbox_limit(arguments.memoryByteCount, arguments.cpuSeconds), "limits cannot be set")
        try check(holdfast_sandbox_seal(), "system calls cannot be filtered")
    }

    private static func check(_ result: Int32, _ text: String) throws(Failure) {
        guard result == 0 else { throw Failure(text: "\(text) (error \(errno))") }
    }

    /// Tries what must be impossible now. Each name, and the error that it failed with; 0 if it did not fail.
    static func attempts() -> [(name: String, error: Int32)] {
        [
            ("open", holdfast_attempt_open()),
            ("create", holdfast_attempt_create()),
            ("stat", holdfast_attempt_stat()),
            ("socket", holdfast_attempt_socket()),
            ("exec", holdfast_attempt_exec()),
            ("fork", holdfast_attempt_fork()),
            ("kill", holdfast_attempt_kill()),
            ("write to the source", holdfast_attempt_write_to_source()),
            ("executable memory", holdfast_attempt_executable_memory()),
            ("trace", holdfast_attempt_trace()),
            ("duplicate", holdfast_attempt_duplicate()),
            ("another descriptor", holdfast_attempt_other_descriptor()),
        ]
    }
}
