import CLinux
import Glibc

/// A file system that is mounted here. Two are equal that are one, whatever subvolumes or bind mounts they are seen through.
public struct MountedFileSystem: Sendable, Equatable {
    public let mountPoint: String
    /// Nobody can write to it, wherever it is mounted.
    public let isReadOnly: Bool
    let device: DeviceNumber
    private let source: String

    public static func == (first: MountedFileSystem, second: MountedFileSystem) -> Bool { first.device == second.device }

    private init(_ entry: MountTable.Entry) {
        (mountPoint, isReadOnly, device, source) = (entry.mountPoint, entry.isReadOnly, entry.device, entry.source)
    }

    /// - Throws: `.unsuitable` unless a file system is mounted at just this place: a folder stands for all that lies around it, too.
    public init(mountPoint path: String) throws(ImageError) {
        guard let found = try MountedFileSystem.holding(path) else { throw .unsuitable(path: path, reason: "nothing is known of its file system") }
        guard try AbsolutePath.resolved(path) == found.mountPoint else {
            throw .unsuitable(path: path, reason: "it is no mount point; it lies on what is mounted at \(found.mountPoint)")
        }
        self = found
    }

    /// Where `path` lies, or would lie if it existed. Nil where that cannot be told.
    public static func holding(_ path: String) throws(ImageError) -> MountedFileSystem? {
        var place = path
        while try FileStatus.of(place) == nil {
            guard !place.isEmpty, place != "." else { return nil }
            place = place.hasPrefix("/") ? AbsolutePath.folder(of: place) : place.lastIndex(of: "/").map { String(place[..<$0]) } ?? "."
        }
        let file: FileDescriptor
        do throws(SystemError) { file = try FileDescriptor(opening: place, flags: holdfast_o_path) } catch { throw error.image(place, "open") }
        return try holding(descriptor: file.number)
    }

    /// The same for an open file. Nil for a pipe, a socket, and what else lies nowhere.
    public static func holding(descriptor: Int32) throws(ImageError) -> MountedFileSystem? {
        try MountTable.current().entry(ofDescriptor: descriptor).map(MountedFileSystem.init)
    }

    /// What is mounted of a file or device: of itself, its parts, or what it is a part of; each once.
    public static func on(_ path: String) throws(ImageError) -> [MountedFileSystem] {
        guard let medium = try Medium.of(path) else { return [] }
        let below = try medium.foundations(throughFileSystems: false)
        var found: [MountedFileSystem] = []
        var isOn: [DeviceNumber: Bool] = [:]
        for fileSystem in try MountTable.current().entries.map(MountedFileSystem.init) where isOn[fileSystem.device] == nil {
            isOn[fileSystem.device] = false
            guard let block = try fileSystem.blockDevice() else { continue }
            let device = Medium.device(block.number)
            let belowDevice = try device.foundations(throughFileSystems: false)
            if device == medium || below.contains(device) || belowDevice.contains(medium) { found.append(fileSystem) }
        }
        return found
    }

    /// Itself and the file systems that its device lies on, as one on a loop device lies on that of the backing file.
    func chain() throws(ImageError) -> [MountedFileSystem] {
        var found: [MountedFileSystem] = []
        var waiting = [self]
        while let next = waiting.popLast() {
            guard !found.contains(next) else { continue }
            found.append(next)
            guard let device = try next.blockDevice() else { continue }
            var devices = [device]
            for case .device(let number) in try Medium.device(device.number).foundations(throughFileSystems: false) { devices.append(BlockDevice(number: number)) }
            for device in devices {
                if let path = try device.backingFile(), let below = try MountedFileSystem.holding(path) { waiting.append(below) }
            }
        }
        return found
    }

    /// Whether what is written to `other` ends up here.
    public func carries(_ other: MountedFileSystem) throws(ImageError) -> Bool { try other.chain().contains(self) }

    /// Some file systems (btrfs) have a device number of their own, and only their source tells what they lie on.
    private func blockDevice() throws(ImageError) -> BlockDevice? {
        if device.major != 0 { return BlockDevice(number: device) }
        guard source.hasPrefix("/dev/"), let status = try FileStatus.of(source), status.kind == .blockDevice else { return nil }
        return BlockDevice(number: status.device)
    }
}
