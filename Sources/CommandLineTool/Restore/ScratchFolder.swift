import CLinux
import Glibc

/// A folder for what is only needed meanwhile; it is gone with all it holds when `body` is done.
struct ScratchFolder {
    let path: String

    /// - Parameter parent: where it is made.
    static func with<Result>(in parent: String, _ body: (ScratchFolder) throws(Failure) -> Result) throws(Failure) -> Result {
        var template = Array("\(parent)\(parent.hasSuffix("/") ? "" : "/")holdfast-scratch-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Failure("\(parent): no folder can be made there (\(SystemCall.reason)); name another with --scratch") }
        let folder = ScratchFolder(path: String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
        defer {
            unsafe unlink(folder.file)
            unsafe rmdir(folder.path)
        }
        return try body(folder)
    }

    /// The only file in it.
    var file: String { "\(path)/volume" }

    /// - Throws: with numbers, where so many bytes surely do not fit.
    static func requireRoom(in parent: String, byteCount: UInt64) throws(Failure) {
        var status = statvfs()
        guard unsafe statvfs(parent, &status) == 0 else { throw Failure("\(parent): \(SystemCall.reason); name a folder with --scratch") }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        guard free >= byteCount else {
            throw Failure("a file system becomes smaller in a scratch file of up to \(ByteText.of(byteCount)), and \(parent) has room for \(ByteText.of(free)); name a folder with --scratch")
        }
    }
}
