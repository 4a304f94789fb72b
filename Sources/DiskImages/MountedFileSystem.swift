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

    /// Each once, however often it is mounted.
    static func all() throws(ImageError) -> [MountedFileSystem] {
        var seen: Set<DeviceNumber> = []
        return try MountTable.current().entries.map(MountedFileSystem.init).filter { seen.insert($0.device).inserted }
    }

    /// The devices it lies on.
    func media() throws(ImageError) -> [Medium] { try devices().map { .device($0.number) } }

    /// What is mounted of a file or device: of itself, its parts, or what it is a part of; each once.
    public static func on(_ path: String) throws(ImageError) -> [MountedFileSystem] {
        guard let medium = try Medium.of(path) else { return [] }
        let below = try medium.foundations(throughFileSystems: false)
        var found: [MountedFileSystem] = []
        for fileSystem in try all() {
            let isAbove = try fileSystem.devices().contains { below.contains(.device($0.number)) }
            let isIn = try fileSystem.foundations().contains(medium)
            if isAbove || isIn { found.append(fileSystem) }
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
            for case .device(let number) in try next.foundations() {
                guard let path = try BlockDevice(number: number).backingFile(), let below = try MountedFileSystem.holding(path) else { continue }
                waiting.append(below)
            }
        }
        return found
    }

    /// Whether what is written to `other` ends up here.
    public func carries(_ other: MountedFileSystem) throws(ImageError) -> Bool { try other.chain().contains(self) }

    /// The devices it lies on, and what they are made of.
    private func foundations() throws(ImageError) -> Set<Medium> {
        var found: Set<Medium> = []
        for device in try devices() { found.formUnion(try Medium.device(device.number).foundations(throughFileSystems: false).union([.device(device.number)])) }
        return found
    }

    /// Some file systems (btrfs) have a device number of their own, and only their source tells one of those that they lie on.
    private func devices() throws(ImageError) -> [BlockDevice] {
        if device.major != 0 { return [BlockDevice(number: device)] }
        guard source.hasPrefix("/dev/"), let status = try FileStatus.of(source), status.kind == .blockDevice else { return [] }
        let first = BlockDevice(number: status.device)
        return try first.btrfsMembers() ?? [first]
    }
}

extension BlockDevice {
    /// All devices of the mounted btrfs that this one belongs to, as sysfs has them; nil if it belongs to none.
    fileprivate func btrfsMembers() throws(ImageError) -> [BlockDevice]? {
        let own = try name()
        for id in try KernelFiles.names(in: "/sys/fs/btrfs") {
            let names = try KernelFiles.names(in: "/sys/fs/btrfs/\(id)/devices")
            guard names.contains(own) else { continue }
            var members: [BlockDevice] = []
            for name in names {
                if let number = try KernelFiles.text("/sys/class/block/\(name)/dev").flatMap({ DeviceNumber($0) }) { members.append(BlockDevice(number: number)) }
            }
            return members
        }
        return nil
    }
}
