import CLinux

/// A pipe, of which other programs get only what is handed to them.
struct Pipe: ~Copyable {
    /// The reading side.
    let output: FileDescriptor
    let input: FileDescriptor

    init() throws(SystemError) {
        var ends: [Int32] = [0, 0]
        guard unsafe holdfast_pipe(&ends) == 0 else { throw .last }
        output = FileDescriptor(taking: ends[0])
        input = FileDescriptor(taking: ends[1])
    }
}
