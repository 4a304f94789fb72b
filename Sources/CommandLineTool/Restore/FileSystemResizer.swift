import DiskLayout
import Glibc
import RepositoryFormat

/// Gives a file system another size, with the tools that its makers wrote for that.
struct FileSystemResizer {
    enum Kind {
        case ext
        case ntfs
    }

    let kind: Kind

    /// Nil for a file system that keeps its size.
    init?(_ fileSystem: FileSystemDescription?) {
        switch fileSystem?.type {
        case "ext2", "ext3", "ext4": kind = .ext
        case "ntfs": kind = .ntfs
        default: return nil
        }
    }

    private var tools: (names: [String], package: String) {
        switch kind {
        case .ext: (["e2fsck", "resize2fs"], "e2fsprogs")
        case .ntfs: (["ntfsresize"], "ntfs-3g")
        }
    }

    /// - Throws: if a tool is not there.
    func requireTools() throws(Failure) {
        for name in tools.names where try ExternalProgram(arguments: [name, "--version"]).run() == nil {
            throw Failure("\(name) is not there, and a file system is to be resized; install \(tools.package), or restore without --resize")
        }
    }

    /// - Parameters:
    ///   - path: a file or device that holds the file system and nothing else, and is large enough for both sizes.
    ///   - byteCount: what it is to fill, or a little less.
    /// - Throws: with what the tool said. The file system may then be neither as it was nor as it should be.
    func resize(_ path: String, to byteCount: UInt64) throws(Failure) {
        switch kind {
        case .ext:
            // resize2fs wants it checked first; a pending journal is replayed by that. 1: errors were corrected.
            try run(["e2fsck", "-f", "-p", path], accepting: [0, 1])
            try run(["resize2fs", path, "\(byteCount / 512)s"], accepting: [0])
        case .ntfs:
            // It asks before it begins. What is marked dirty is refused: forcing it would lose what its log has to replay.
            try run(["ntfsresize", "--no-progress-bar", "--size", "\(byteCount)", path], input: .bytes(Array("y\n".utf8)), accepting: [0])
        }
    }

    private func run(_ arguments: [String], input: ExternalProgram.Input = .nothing, accepting statuses: [Int32]) throws(Failure) {
        guard let ending = try ExternalProgram(arguments: arguments, input: input).run() else { throw Failure("\(arguments[0]) is not there") }
        guard statuses.contains(ending.status) else {
            let said = String(decoding: ending.output, as: UTF8.self).split(whereSeparator: \.isNewline).suffix(4).map { Printable.text(String($0)) }.joined(separator: " / ")
            // resize2fs counts in the file system's blocks, and its estimate is a careful one.
            let hint = said.contains("smaller than minimum") ? " – in blocks of the file system; give the partition a larger size" : ""
            throw Failure("\(arguments[0]) ended with exit status \(ending.status): \(said)\(hint)")
        }
    }
}
