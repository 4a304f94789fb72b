/// What sysfs knows of a block device and of those it is made of.
struct BlockDevice: Hashable {
    let number: DeviceNumber

    private var folder: String { "/sys/dev/block/\(number)" }

    /// The kernel's name of it, such as `sda1`; the number where sysfs is not there.
    func name() throws(ImageError) -> String {
        let properties = try KernelFiles.text(folder + "/uevent") ?? ""
        for line in properties.split(separator: "\n") where line.hasPrefix("DEVNAME=") {
            return String(line.dropFirst("DEVNAME=".count))
        }
        return number.description
    }

    /// The number of a partition within its disk; nil for a whole disk.
    func partitionNumber() throws(ImageError) -> UInt32? { try KernelFiles.number(folder + "/partition") }

    /// Where a partition begins on its disk, in units of 512 bytes; nil for a whole disk.
    func startSector() throws(ImageError) -> UInt64? { try KernelFiles.text(folder + "/start").flatMap { UInt64($0) } }

    /// The disk that a partition belongs to; nil for a whole disk.
    func wholeDisk() throws(ImageError) -> BlockDevice? {
        guard try partitionNumber() != nil else { return nil }
        return try BlockDevice.named(in: folder + "/..")
    }

    func partitions() throws(ImageError) -> [BlockDevice] {
        var found: [BlockDevice] = []
        for name in try KernelFiles.names(in: folder) {
            guard try KernelFiles.text("\(folder)/\(name)/partition") != nil else { continue }
            if let partition = try BlockDevice.named(in: "\(folder)/\(name)") { found.append(partition) }
        }
        return found
    }

    /// Devices made of this one: volume groups, RAID, encryption.
    func holders() throws(ImageError) -> [BlockDevice] { try related("holders") }

    /// Devices this one is made of.
    func slaves() throws(ImageError) -> [BlockDevice] { try related("slaves") }

    /// The file or device behind a loop device. The kernel appends ` (deleted)` where the file has no name any more.
    func backingFile() throws(ImageError) -> String? { try KernelFiles.text(folder + "/loop/backing_file") }

    /// Where a loop device begins in what is behind it, in bytes.
    func backingOffset() throws(ImageError) -> UInt64 { try KernelFiles.text(folder + "/loop/offset").flatMap { UInt64($0) } ?? 0 }

    /// Nil where sysfs is not there.
    func byteCount() throws(ImageError) -> UInt64? { try KernelFiles.text(folder + "/size").flatMap { UInt64($0) }.map { $0 * 512 } }

    /// The name the device mapper gave it.
    func mapperName() throws(ImageError) -> String? { try KernelFiles.text(folder + "/dm/name") }

    func isReadOnly() throws(ImageError) -> Bool { try KernelFiles.text(folder + "/ro") == "1" }

    /// All loop devices that have a backing file.
    static func loops() throws(ImageError) -> [BlockDevice] {
        var found: [BlockDevice] = []
        for name in try KernelFiles.names(in: "/sys/block") where name.hasPrefix("loop") {
            guard let loop = try BlockDevice.named(in: "/sys/block/\(name)") else { continue }
            if try loop.backingFile() != nil { found.append(loop) }
        }
        return found
    }

    private func related(_ kind: String) throws(ImageError) -> [BlockDevice] {
        var found: [BlockDevice] = []
        for name in try KernelFiles.names(in: "\(folder)/\(kind)") {
            if let device = try BlockDevice.named(in: "\(folder)/\(kind)/\(name)") { found.append(device) }
        }
        return found
    }

    private static func named(in folder: String) throws(ImageError) -> BlockDevice? {
        try KernelFiles.text(folder + "/dev").flatMap { text in DeviceNumber(text) }.map(BlockDevice.init(number:))
    }
}

extension BlockDevice {
    /// Serial number, world wide name and model; a partition has those of its disk.
    func hardware() throws(ImageError) -> (serialNumber: String?, worldWideName: String?, model: String?) {
        if let disk = try wholeDisk() { return try disk.hardware() }
        let pageSerialNumber = try unitSerialNumber()
        return (
            // virtio; NVMe and memory cards; SCSI and SATA
            serialNumber: try property("serial", "device/serial") ?? pageSerialNumber,
            worldWideName: try property("wwid", "device/wwid"),
            model: try property("device/model", "device/name")
        )
    }

    private func property(_ first: String, _ second: String) throws(ImageError) -> String? {
        if let text = try KernelFiles.text("\(folder)/\(first)") { return text }
        return try KernelFiles.text("\(folder)/\(second)")
    }

    private func unitSerialNumber() throws(ImageError) -> String? {
        try KernelFiles.bytes(folder + "/device/vpd_pg80").flatMap(BlockDevice.unitSerialNumber(page:))
    }

    /// The serial number in SCSI's vital product data page 80h (SPC-4, 7.8.15): a header of 4 bytes ends with the length, big-endian.
    static func unitSerialNumber(page: [UInt8]) -> String? {
        guard page.count > 4, page[1] == 0x80 else { return nil }
        let end = min(page.count, 4 + Int(page[2]) << 8 + Int(page[3]))
        let text = String(decoding: KernelFiles.trimmed(page[4..<end]), as: UTF8.self)
        return text.isEmpty ? nil : text
    }
}
