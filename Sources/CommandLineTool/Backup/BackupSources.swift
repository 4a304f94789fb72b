import DiskImages
import Glibc
import ImageRepository

/// The opened sources of one backup.
struct BackupSources {
    private(set) var sources: [BackupSource] = []
    /// What a person should know before these are backed up.
    private(set) var warnings: [String] = []
    /// Ends what waits for input; for when the backup is asked to stop.
    private(set) var stop: @Sendable () -> Void = {}

    /// - Parameter frozen: file systems that will hold still; nil where somebody else sees to it that all do.
    init(paths: [String], streams: StreamOptions, imageName: String?, changes: ChangeOptions, frozen: [MountedFileSystem]?) throws(Failure) {
        let tracking = try changes.trackingOfFile()
        for path in paths {
            guard path != "-" else { throw Failure("for standard input, give --stdin-name and a name for the image instead of “-”", status: .usage) }
            if NBDImageReader.isName(path) {
                try add(export: path, imageName, changes, tracking)
                continue
            }
            let reader = try imageCall { () throws(ImageError) in try FileImageReader(path: path) }
            if let frozen { try warnOfUse(path, frozen) }
            var identity = reader.identity
            if let imageName { identity.imageName = imageName }
            try add(BackupSource(reader, identity: identity, tracking: tracking))
        }
        if let command = streams.stdinCommand {
            let stream = try imageCall { () throws(ImageError) in try CommandStream(shell: command) }
            stop = { stream.cancel() }
            var identity = stream.identity
            identity.imageName = imageName ?? streams.stdinName ?? identity.imageName
            try add(BackupSource(stream, identity: identity))
        } else if let name = streams.stdinName {
            guard isatty(STDIN_FILENO) == 0 else {
                throw Failure("standard input is a terminal; connect it to what writes the image, or give --stdin-command", status: .usage)
            }
            let stream = try StoppableInput()
            stop = { stream.stop() }
            try add(BackupSource(stream, identity: SourceIdentity(kind: .stream, imageName: name, path: "-")))
        }
    }

    private mutating func warnOfUse(_ path: String, _ frozen: [MountedFileSystem]) throws(Failure) {
        let mounted = try imageCall { () throws(ImageError) in try MountedFileSystem.on(path) }
        let written = mounted.filter { !$0.isReadOnly && !frozen.contains($0) }.map(\.mountPoint)
        let danger = "what is written to it during the backup may be in the snapshot in part"
        if !written.isEmpty {
            let freezing = written.map { "--freeze \($0)" }.joined(separator: " ")
            warnings.append(
                "\(path) is in use (mounted at \(written.joined(separator: ", "))): \(danger). “\(freezing)” holds it still meanwhile, or back up a snapshot of the volume (--before, --after)")
        } else if mounted.isEmpty, let reason = try imageCall({ () throws(ImageError) in try ImageTarget.usage(of: path) }) {
            warnings.append("\(path) is in use (\(reason)): \(danger)")
        }
    }

    private mutating func add(export uri: String, _ imageName: String?, _ changes: ChangeOptions, _ tracking: ChangeTracking?) throws(Failure) {
        let reader = try imageCall { () throws(ImageError) in try NBDImageReader(uri: uri, dirtyBitmap: changes.dirtyBitmap) }
        var identity = reader.identity
        if let imageName { identity.imageName = imageName }
        try add(BackupSource(reader, identity: identity, tracking: tracking ?? changes.tracking(reader)))
    }

    private mutating func add(_ source: BackupSource) throws(Failure) {
        guard !sources.contains(where: { $0.identity.imageName == source.identity.imageName }) else {
            throw Failure("two sources are both called “\(source.identity.imageName)”; back them up as two snapshots", status: .usage)
        }
        sources.append(source)
    }
}
