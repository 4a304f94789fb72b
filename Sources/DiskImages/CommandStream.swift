import Glibc
import Synchronization

/// What a command prints, as a source. The command must succeed for the stream to count as complete.
public final class CommandStream: ImageStream {
    private let command: String
    private let program: PipedProcess
    private let stream: DescriptorStream
    private let isCancelled = Atomic<Bool>(false)

    public var identity: SourceIdentity { SourceIdentity(kind: .stream, imageName: "stdin", path: command) }

    /// Starts a program, searched for in `PATH`, with its arguments; the first word is the program.
    public convenience init(arguments: [String]) throws(ImageError) {
        try self.init(arguments: arguments, name: arguments.joined(separator: " "))
    }

    /// Starts `/bin/sh -c` with a command line.
    public convenience init(shell command: String) throws(ImageError) {
        try self.init(arguments: ["/bin/sh", "-c", command], name: command)
    }

    private init(arguments: [String], name: String) throws(ImageError) {
        guard let first = arguments.first else { throw .unsuitable(path: "", reason: "the command is empty") }
        command = name
        do throws(SystemError) { program = try PipedProcess(arguments: arguments) } catch { throw error.image(first, "start") }
        stream = DescriptorStream(number: program.output.number, name: name)
    }

    public func read(into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int { try stream.read(into: &bytes) }

    /// Waits for the command's end.
    ///
    /// - Throws: `.incomplete` unless it ended with exit status 0.
    public func finish() throws(ImageError) {
        let reason = try program.process.failure(command)
        if isCancelled.load(ordering: .acquiring) { throw .incomplete(source: command, reason: "the command was stopped") }
        if let reason { throw .incomplete(source: command, reason: "the command \(reason)") }
    }

    /// Ends the command, if need be by force after two seconds. A reader that waits sees the stream's end, and `finish` throws.
    /// A stream that is dropped does the same.
    public func cancel() {
        isCancelled.store(true, ordering: .releasing)
        program.process.cancel()
    }
}
