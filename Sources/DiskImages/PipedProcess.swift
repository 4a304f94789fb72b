/// A program whose standard output is a pipe. Its standard input is empty and its error output ours: in a group of its own it could not read from the terminal.
final class PipedProcess: Sendable {
    /// The reading side of the pipe.
    let output: FileDescriptor
    let process: ChildProcess

    /// - Parameter inherited: a descriptor that it gets, and as which number.
    init(arguments: [String], inheriting inherited: (number: Int32, as: Int32)? = nil) throws(SystemError) {
        let pipe = try Pipe()
        process = try ChildProcess(ChildSpawn(program: arguments[0], arguments: arguments, output: pipe.input.number, inherited: inherited))
        output = pipe.output
    }
}
