import DiskImages
import Glibc
import Testing

/// A folder of its own for a test, removed with everything in it.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/holdfast-images-XXXXXX".utf8CString)
        guard let made = unsafe mkdtemp(&template) else { throw TestFailure("mkdtemp: \(errno)") }
        path = unsafe String(cString: made)
    }

    deinit { _ = try? run(["rm", "-rf", path]) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a file with the given pieces at their offsets and holes elsewhere.
    func sparseFile(_ name: String, byteCount: Int, _ pieces: [(offset: Int, bytes: [UInt8])] = []) throws -> String {
        let descriptor = try openFile(file(name), O_RDWR | O_CREAT)
        defer { close(descriptor) }
        guard ftruncate(descriptor, byteCount) == 0 else { throw TestFailure("ftruncate: \(errno)") }
        for piece in pieces {
            guard unsafe pwrite(descriptor, piece.bytes, piece.bytes.count, piece.offset) == piece.bytes.count else {
                throw TestFailure("pwrite: \(errno)")
            }
        }
        return file(name)
    }
}

struct TestFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A loop device over a file, detached at the end of the test.
final class LoopDevice {
    let path: String

    init(_ file: String, options: [String] = []) throws {
        path = try run(["losetup", "--find", "--show"] + options + [file])
    }

    deinit { _ = try? run(["losetup", "--detach", path]) }

    /// The device of a partition. A kernel that reads no partition tables itself is told of them.
    func partition(_ number: Int) throws -> String {
        let partition = "\(path)p\(number)"
        if !exists(partition) { try run(["partx", "--add", path]) }
        return partition
    }
}

/// A mounted file system, unmounted at the end of the test.
final class Mount {
    let path: String

    init(_ source: String, at path: String, options: [String] = []) throws {
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw TestFailure("mkdir: \(errno)") }
        _ = try run(["mount"] + options + [source, path])
        self.path = path
    }

    deinit { _ = try? run(["umount", path]) }
}

let isRoot = geteuid() == 0
let hasLoopDevices = isRoot && exists("/dev/loop-control")

func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

/// Runs a program and answers what it printed, without the last line end; throws unless it succeeds.
@discardableResult
func run(_ arguments: [String]) throws -> String {
    let stream = try CommandStream(arguments: arguments)
    let output = try readAll(stream)
    try stream.finish()
    return String(decoding: output.last == 0x0a ? output.dropLast() : output[...], as: UTF8.self)
}

func readAll(_ stream: some ImageStream, pieceByteCount: Int = 1000) throws -> [UInt8] {
    var output: [UInt8] = []
    while true {
        var piece = [UInt8](repeating: 0xee, count: pieceByteCount)
        var span = piece.mutableSpan
        let byteCount = try stream.read(into: &span)
        output += piece[..<byteCount]
        if byteCount < pieceByteCount { return output }
    }
}

func read(_ reader: some ImageReader, _ offset: UInt64, _ byteCount: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xee, count: byteCount)
    var span = bytes.mutableSpan
    let done = try reader.read(at: offset, into: &span)
    return Array(bytes[..<done])
}

func readBack(_ writer: some ImageWriter, _ offset: UInt64, _ byteCount: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xee, count: byteCount)
    var span = bytes.mutableSpan
    let done = try writer.read(at: offset, into: &span)
    return Array(bytes[..<done])
}

func openFile(_ path: String, _ flags: Int32) throws -> Int32 {
    let descriptor = unsafe open(path, flags | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw TestFailure("open \(path): \(errno)") }
    return descriptor
}

func contents(of path: String) throws -> [UInt8] {
    let descriptor = try openFile(path, O_RDONLY)
    defer { close(descriptor) }
    return try readAll(StandardInputStream(descriptor: descriptor), pieceByteCount: 1 << 20)
}

/// Bytes that differ from place to place and are never zero.
func pattern(_ byteCount: Int, _ start: Int = 0) -> [UInt8] {
    (start..<start + byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) | 1 }
}

/// All extents of an image, joined where neighbours are of one kind.
func extents(_ reader: some ImageReader) throws -> [ImageExtent] {
    var found: [ImageExtent] = []
    var offset: UInt64 = 0
    while offset < reader.byteCount {
        let extent = try reader.extent(at: offset)
        guard extent.end > offset, extent.end <= reader.byteCount else { throw TestFailure("an extent at \(offset) ends at \(extent.end)") }
        if found.last?.kind == extent.kind { found.removeLast() }
        found.append(extent)
        offset = extent.end
    }
    return found
}

/// The text of the error that `body` throws.
func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}
