import Foundation
import Glibc
import TestSupport

/// Everything in a folder, hidden or not.
func entries(of path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path)
}

func removeTree(_ path: String) throws {
    try FileManager.default.removeItem(atPath: path)
}

let isRoot = geteuid() == 0

/// Runs a program to its end. - Throws: `ProgramFailure` unless it exits with 0.
func run(_ program: String, _ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    try process.run()
    process.waitUntilExit()
    if process.terminationStatus != 0 { throw ProgramFailure(command: ([program] + arguments).joined(separator: " ")) }
}

struct ProgramFailure: Error {
    let command: String
}

/// A small file system in memory, mounted for one test; only root can.
final class MountedFolder: Sendable {
    private let folder = TemporaryFolder()
    let path: String

    init(byteCount: Int) throws {
        path = "\(folder.path)/mounted"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        try run("/bin/mount", "-t", "tmpfs", "-o", "size=\(byteCount)", "holdfast-test", path)
    }

    func makeReadOnly() throws {
        try run("/bin/mount", "-o", "remount,ro", path)
    }

    deinit {
        do { try run("/bin/umount", path) } catch { print("still mounted: \(path) (\(error))") }
    }
}
