import Glibc

/// Standard input, or any other open descriptor, as a source.
///
/// Whether what writes to a pipe came to a good end cannot be seen from its reading side: `CommandStream` can tell.
public final class StandardInputStream: ImageStream {
    private let stream: DescriptorStream

    public var identity: SourceIdentity { SourceIdentity(kind: .stream, imageName: "stdin", path: "-") }

    /// The descriptor stays the caller's and is not closed.
    public init(descriptor: Int32 = 0) {
        stream = DescriptorStream(number: descriptor, name: descriptor == STDIN_FILENO ? "standard input" : "descriptor \(descriptor)")
    }

    public func read(into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int { try stream.read(into: &bytes) }

    public func finish() throws(ImageError) {}
}
