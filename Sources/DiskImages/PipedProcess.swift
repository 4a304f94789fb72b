/// A program whose standard output is a pipe. Its standard input is empty unless it is given one, and its error output ours: in a group of its own it could not read from the terminal.
final class PipedProcess: Sendable {
    /// The reading side of the pipe.
    let output: FileDescriptor
    let process: ChildProcess
    /// As it was started.
    let name: String

    /// - Parameters:
    ///   - input: what it gets as its standard input.
    ///   - inherited: a descriptor that it gets, and as which number.
    init(arguments: [String], input: Int32? = nil, inheriting inherited: (number: Int32, as: Int32)? = nil) throws(SystemError) {
        name = arguments[0]
        let pipe = try Pipe()
        process = try ChildProcess(ChildSpawn(program: name, arguments: arguments, input: input, output: pipe.input.number, inherited: inherited))
        output = pipe.output
    }
}
