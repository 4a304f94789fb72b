/// A file or device, whatever its names, and what its bytes lie on.
enum Medium: Hashable {
    case file(fileSystem: DeviceNumber, inode: UInt64)
    case device(DeviceNumber)
    /// What is behind a loop device and lies where we may not look, or has no name any more: known by what the kernel calls it alone.
    case unseen(path: String)

    init(_ status: FileStatus) {
        self = status.kind == .blockDevice ? .device(status.device) : .file(fileSystem: status.fileSystem, inode: status.inode)
    }

    /// Nil when there is nothing at `path`.
    static func of(_ path: String) throws(ImageError) -> Medium? { try FileStatus.of(path).map(Medium.init) }

    /// What a loop device shows; nil for what is none.
    static func behind(_ device: BlockDevice) throws(ImageError) -> Medium? {
        guard let path = try device.backingFile() else { return nil }
        do throws(ImageError) { return try of(path) ?? .unseen(path: path) } catch {
            if case .accessDenied = error { return .unseen(path: path) }
            throw error
        }
    }

    /// Everything below this one: backing files of loop devices, disks of partitions, members of mapped devices; with
    /// `throughFileSystems`, also the device that holds a file's file system.
    func foundations(throughFileSystems: Bool) throws(ImageError) -> Set<Medium> {
        var found: Set<Medium> = []
        var waiting = try nextFoundations(throughFileSystems)
        while let next = waiting.popLast() {
            if found.insert(next).inserted { waiting += try next.nextFoundations(throughFileSystems) }
        }
        return found
    }

    private func nextFoundations(_ throughFileSystems: Bool) throws(ImageError) -> [Medium] {
        switch self {
        case .file(let fileSystem, _):
            return throughFileSystems ? [.device(fileSystem)] : []
        case .unseen: return []
        case .device(let number):
            let device = BlockDevice(number: number)
            var next = try device.slaves().map { Medium.device($0.number) }
            if let disk = try device.wholeDisk() { next.append(.device(disk.number)) }
            if let backing = try Medium.behind(device) { next.append(backing) }
            return next
        }
    }
}
