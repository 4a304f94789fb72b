import CLinux
import Glibc

/// Real files for the demonstration's disk: programs and documents of this machine, and a few made ones.
struct DemoTree {
    let folder: String
    private(set) var fileCount = 0
    private(set) var byteCount = 0
    /// Copied programs, by name.
    private(set) var programs: [String] = []

    private static let pieceByteCount = 1 << 20

    init(folder: String) throws(Failure) {
        self.folder = folder
        try makeFolder(folder)
        try copy(from: "/usr/bin", into: "programs", byteCountMax: 60 << 20)
        programs = FolderNames.of("\(folder)/programs")
        try copy(from: "/usr/share/doc", into: "documents", byteCountMax: 16 << 20)
        // Like a database: no two pages alike, and nothing to compress.
        try write(DemoTree.noise(byteCount: 8 << 20, seed: 1), to: "database")
        // Like a log: the same words again and again.
        let log = (0..<40_000).map { "2026-01-01 host service[\($0 % 97)]: request \($0) took \($0 % 31) ms\n" }.joined()
        try write(Array(log.utf8), to: "log")
        try write([UInt8](repeating: 0, count: 4 << 20), to: "zeros")
    }

    /// Bytes without a pattern, the same for the same seed (xorshift64*, Vigna 2016).
    static func noise(byteCount: Int, seed: UInt64) -> [UInt8] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return (0..<byteCount).map { _ in
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return UInt8(truncatingIfNeeded: (state &* 0x2545_F491_4F6C_DD1D) >> 56)
        }
    }

    /// Copies regular files, in order of their names, until they are many enough. What cannot be read is passed over: it is not ours.
    private mutating func copy(from source: String, into name: String, byteCountMax: Int) throws(Failure) {
        try makeFolder("\(folder)/\(name)")
        var left = byteCountMax
        var waiting = [(source, name)]
        while let (from, to) = waiting.popLast(), left > 0 {
            for entry in FolderNames.of(from) where left > 0 {
                var status = stat()
                guard unsafe lstat("\(from)/\(entry)", &status) == 0 else { continue }
                if status.st_mode & S_IFMT == S_IFDIR {
                    try makeFolder("\(folder)/\(to)/\(entry)")
                    waiting.append(("\(from)/\(entry)", "\(to)/\(entry)"))
                } else if status.st_mode & S_IFMT == S_IFREG, status.st_size <= left, let bytes = DemoTree.read("\(from)/\(entry)", Int(status.st_size)) {
                    try write(bytes, to: "\(to)/\(entry)")
                    left -= bytes.count
                }
            }
        }
    }

    private mutating func write(_ bytes: [UInt8], to name: String) throws(Failure) {
        try DemoTree.write(bytes, to: "\(folder)/\(name)")
        fileCount += 1
        byteCount += bytes.count
    }

    static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let file = unsafe holdfast_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure("\(path): it cannot be made (\(SystemCall.reason))") }
        let written = SystemCall.writeAll(bytes, to: file)
        let closed = close(file) == 0 ? 0 : errno
        guard written == 0, closed == 0 else { throw Failure("\(path): writing failed (\(SystemCall.reason(max(written, closed))))") }
    }

    private static func read(_ path: String, _ byteCount: Int) -> [UInt8]? {
        let file = unsafe holdfast_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0 else { return nil }
        defer { _ = close(file) }
        var bytes = [UInt8](repeating: 0, count: byteCount)
        return SystemCall.readAll(into: &bytes, from: file) == byteCount ? bytes : nil
    }

    private func makeFolder(_ path: String) throws(Failure) {
        guard unsafe mkdir(path, 0o700) == 0 else { throw Failure("\(path): the folder cannot be made (\(SystemCall.reason))") }
    }
}
