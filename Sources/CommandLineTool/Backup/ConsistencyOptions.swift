import ArgumentParser
import DiskImages

/// How a source is made to hold still while it is read.
struct ConsistencyOptions: ParsableArguments {
    enum Span: String, ExpressibleByArgument, CaseIterable { case reading, before }

    @Option(
        name: .customLong("freeze"),
        help: ArgumentHelp("Freeze the file system mounted there while the sources are read: whoever writes to it waits. May be repeated.", valueName: "mount-point"),
        completion: .directory)
    var mountPoints: [String] = []

    @Option(
        help: ArgumentHelp(
            "How long it may stay frozen at most, such as 90s, 10m or 2h; 10m if nothing is said. Then it is thawed, and the snapshot recorded as incomplete.",
            valueName: "time"),
        transform: ArgumentValues.seconds)
    var freezeTimeout: UInt64?

    @Option(
        help: ArgumentHelp(
            "Freeze while the sources are read (reading), or only while the command of --before takes a snapshot of what lies below the file system (before).",
            valueName: "span"))
    var freezeDuring = Span.reading

    @Option(
        help: ArgumentHelp("A shell command to run before the sources are opened, such as one that takes a snapshot of a volume. If it fails, nothing is backed up.", valueName: "command"))
    var before: String?

    @Option(
        help: ArgumentHelp(
            "A shell command to run afterwards, also after a failure, unless --before failed. HOLDFAST_STATUS is the exit status, HOLDFAST_SNAPSHOT the new snapshot or empty.",
            valueName: "command"))
    var after: String?

    func validate() throws {
        if before == "" || after == "" || mountPoints.contains("") { throw ValidationError("--before, --after and --freeze must not be empty.") }
        if mountPoints.isEmpty, freezeTimeout != nil || freezeDuring == .before { throw ValidationError("--freeze-timeout and --freeze-during are for --freeze.") }
        if freezeDuring == .before, before == nil { throw ValidationError("--freeze-during before needs --before.") }
    }

    /// Safe for a machine that others wait for; what is larger than can be read in this time is better read from a snapshot of the device.
    private static let usualSeconds: UInt64 = 600

    /// The file systems to freeze. None of `kept` may lie on one: this program would wait for itself.
    func fileSystems(keeping kept: [WrittenPlace]) throws(Failure) -> [MountedFileSystem] {
        try mountPoints.map { path throws(Failure) in
            let fileSystem = try imageCall { () throws(ImageError) in try MountedFileSystem(mountPoint: path) }
            for place in kept {
                guard try imageCall({ () throws(ImageError) in try fileSystem.carries(place.fileSystem) }) else { continue }
                throw Failure(
                    "\(path) cannot be frozen: \(place.name) lies on it, so that this program would wait for itself; \(place.remedy), or back up a snapshot of the device",
                    status: .usage)
            }
            return fileSystem
        }
    }

    func freeze(_ fileSystems: [MountedFileSystem]) throws(Failure) -> SourceFreeze? {
        if fileSystems.isEmpty { return nil }
        return try imageCall { () throws(ImageError) in
            try SourceFreeze(fileSystems, guardian: "/proc/self/exe", seconds: freezeTimeout ?? ConsistencyOptions.usualSeconds)
        }
    }
}
