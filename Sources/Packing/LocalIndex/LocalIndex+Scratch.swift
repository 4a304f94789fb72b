import CLinux
import Glibc

extension LocalIndex {
    /// A folder for runs that one process makes for itself because it trusts no others. Those of processes that run no more are removed.
    ///
    /// - Parameter folder: exists or is made; it holds nothing else of that name.
    package static func scratch(below folder: String) -> LocalIndex {
        for name in names(in: folder) where name.hasPrefix(scratchPrefix) {
            guard let process = name.dropFirst(scratchPrefix.count).split(separator: "-").first.flatMap({ pid_t($0) }), process > 0 else { continue }
            if kill(process, 0) != 0, errno == ESRCH { LocalIndex(folder: "\(folder)/\(name)").remove() }
        }
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return LocalIndex(folder: "\(folder)/\(scratchPrefix)\(getpid())-\(now.tv_sec)-\(now.tv_nsec)")
    }

    private static let scratchPrefix = "scratch-"

    /// Removes the folder. Runs that are mapped stay readable.
    package func remove() {
        for name in LocalIndex.names(in: folder) where name != "." && name != ".." { unsafe unlink("\(folder)/\(name)") }
        unsafe rmdir(folder)
    }
}
