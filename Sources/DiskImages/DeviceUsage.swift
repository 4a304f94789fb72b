/// Finds out who uses a block device, so that a refusal can name him.
///
/// The kernel's own answer is `EBUSY` on an exclusive open and says nothing more. It also says nothing of a loop device on top,
/// which claims its backing device only while it is set up.
enum DeviceUsage {
    /// Nil when nobody is known to use the device, its partitions, or the disk it is a part of as a whole.
    static func reason(_ device: BlockDevice) throws(ImageError) -> String? {
        let mounts = try MountTable.current()
        if let use = try use(of: device, mounts) { return use }
        for partition in try device.partitions() {
            if let use = try use(of: partition, mounts) { return "its partition \(try partition.name()): \(use)" }
        }
        if let disk = try device.wholeDisk(), let use = try use(of: disk, mounts) {
            return "its disk \(try disk.name()): \(use)"
        }
        return try sharing(device)
    }

    /// Who uses the same bytes through another device: a second loop device over one file, one over a part of it, or the device below a loop device.
    private static func sharing(_ device: BlockDevice) throws(ImageError) -> String? {
        let medium = Medium.device(device.number)
        for fileSystem in try MountedFileSystem.all() {
            for other in try fileSystem.media() where try medium.overlaps(other) { return "its bytes are those of what is mounted at \(fileSystem.mountPoint)" }
        }
        for swap in try swapDevices() where try medium.overlaps(.device(swap.number)) { return "its bytes are those of swap space, \(try swap.name())" }
        return nil
    }

    /// The same for a file: a loop device may show it as a disk.
    static func reason(file: FileStatus) throws(ImageError) -> String? {
        for loop in try BlockDevice.loops() {
            if try Medium.behind(loop) == Medium(file) { return "behind /dev/\(try loop.name())" }
        }
        return nil
    }

    private static func use(of device: BlockDevice, _ mounts: MountTable) throws(ImageError) -> String? {
        if let place = try mounts.mountPoint(of: device.number) { return "mounted at \(place)" }
        if try isSwap(device) { return "used as swap space" }
        if let holder = try device.holders().first {
            if let name = try holder.mapperName() { return "part of \(name)" }
            return "part of \(try holder.name())"
        }
        for loop in try BlockDevice.loops() {
            if try Medium.behind(loop) == .device(device.number) { return "behind /dev/\(try loop.name())" }
        }
        return nil
    }

    private static func isSwap(_ device: BlockDevice) throws(ImageError) -> Bool { try swapDevices().contains(device) }

    private static func swapDevices() throws(ImageError) -> [BlockDevice] {
        let table = try KernelFiles.text("/proc/swaps") ?? ""
        var devices: [BlockDevice] = []
        // The first line is a heading; the path is the first column.
        for line in table.split(separator: "\n").dropFirst() {
            let path = MountTable.unescaped(line.prefix { $0 != " " && $0 != "\t" })
            guard let status = try FileStatus.of(path), status.kind == .blockDevice else { continue }
            devices.append(BlockDevice(number: status.device))
        }
        return devices
    }
}
