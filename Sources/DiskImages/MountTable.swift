/// What is mounted where, from `/proc/self/mountinfo` (proc(5)).
struct MountTable {
    struct Entry: Equatable {
        var id: Int
        /// Of the file system as a whole: the same at all its mount points, and for all subvolumes.
        var device: DeviceNumber
        var mountPoint: String
        /// A device path for most; some file systems (btrfs) have a device number of their own, and only this tells what they lie on.
        var source: String
        /// Nobody can write through any mount point.
        var isReadOnly: Bool
    }

    var entries: [Entry]

    /// Lines that do not look like mountinfo are passed over.
    init(parsing text: String) {
        entries = text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: false)
            guard fields.count >= 9, let separator = fields[6...].firstIndex(of: "-"), separator + 3 < fields.count,
                let id = Int(fields[0]), let device = DeviceNumber(fields[2])
            else { return nil }
            return Entry(
                id: id, device: device, mountPoint: MountTable.unescaped(fields[4]), source: MountTable.unescaped(fields[separator + 2]),
                isReadOnly: fields[separator + 3].split(separator: ",").contains("ro"))
        }
    }

    static func current() throws(ImageError) -> MountTable {
        MountTable(parsing: try KernelFiles.text("/proc/self/mountinfo") ?? "")
    }

    /// Where a file system on `device` is mounted, the first place of several.
    func mountPoint(of device: DeviceNumber) throws(ImageError) -> String? {
        for entry in entries {
            if entry.device == device { return entry.mountPoint }
            guard entry.source.hasPrefix("/dev/"), let status = try FileStatus.of(entry.source) else { continue }
            if status.kind == .blockDevice, status.device == device { return entry.mountPoint }
        }
        return nil
    }

    /// What an open descriptor was opened through; nil for what no mount shows, such as a pipe.
    func entry(ofDescriptor descriptor: Int32) throws(ImageError) -> Entry? {
        let text = try KernelFiles.text("/proc/self/fdinfo/\(descriptor)") ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("mnt_id:") }
        guard let id = line.flatMap({ Int($0.dropFirst("mnt_id:".count).drop { $0 == "\t" || $0 == " " }) }) else { return nil }
        return entries.first { $0.id == id }
    }

    /// The kernel writes space, tab, line end and backslash as three octal digits.
    static func unescaped(_ field: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8) {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
