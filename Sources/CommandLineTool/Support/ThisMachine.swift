import CLinux
import Glibc
import ImageRepository

/// What the library wants to know of the machine.
enum ThisMachine {
    static func environment(_ console: Console) -> ClientEnvironment {
        let cacheFolder = ClientFolders.cache(EnvironmentVariable.text)
        let stateFolder = ClientFolders.state(EnvironmentVariable.text)
        if cacheFolder == nil || stateFolder == nil {
            console.warn(
                "there is no home folder; HOLDFAST_CACHE_DIR and HOLDFAST_STATE_DIR name folders for the cache and for what guards against rollback")
        }
        return ClientEnvironment(
            host: hostName, machineID: machineID, processSpace: processSpace, processID: UInt64(getpid()), tool: "holdfast \(ToolVersion.text)",
            cacheFolder: cacheFolder, stateFolder: stateFolder,
            now: { Clock.now }, isRunning: { id in kill(pid_t(truncatingIfNeeded: id), 0) == 0 || errno != ESRCH })
    }

    static var hostName: String {
        var bytes = [UInt8](repeating: 0, count: 256)
        let result = unsafe bytes.withUnsafeMutableBytes { unsafe gethostname($0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count - 1) }
        let name = result == 0 ? String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) : ""
        return name.isEmpty ? "localhost" : name
    }

    /// machine-id(5); empty where the file is missing, as in a rescue system.
    static var machineID: String { firstWord(of: "/etc/machine-id") }

    /// The kernel's id of this boot (random(4)), and the inode of the namespace of process numbers (pid_namespaces(7)).
    private static var processSpace: String {
        let boot = firstWord(of: "/proc/sys/kernel/random/boot_id")
        var status = stat()
        guard !boot.isEmpty, unsafe stat("/proc/self/ns/pid", &status) == 0 else { return "" }
        return "\(boot)/\(status.st_ino)"
    }

    private static func firstWord(of path: String) -> String {
        let file = unsafe holdfast_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0 else { return "" }
        defer { _ = close(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let byteCount = SystemCall.readAll(into: &bytes, from: file) ?? 0
        return String(decoding: bytes.prefix(byteCount).prefix { $0 > 0x20 }, as: UTF8.self)
    }
}
