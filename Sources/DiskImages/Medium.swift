/// A file or device, whatever its names, and what its bytes lie on.
enum Medium: Hashable {
    case file(fileSystem: DeviceNumber, inode: UInt64)
    case device(DeviceNumber)

    /// Nil when there is nothing at `path`.
    static func of(_ path: String) throws(ImageError) -> Medium? {
        guard let status = try FileStatus.of(path) else { return nil }
        return status.kind == .blockDevice
            ? .device(status.device) : .file(fileSystem: status.fileSystem, inode: status.inode)
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
        case .device(let number):
            let device = BlockDevice(number: number)
            var next = try device.slaves().map { Medium.device($0.number) }
            if let disk = try device.wholeDisk() { next.append(.device(disk.number)) }
            if let path = try device.backingFile(), let backing = try Medium.of(path) { next.append(backing) }
            return next
        }
    }
}
