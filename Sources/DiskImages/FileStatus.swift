import CLinux
import Glibc

/// What stat(2) says of a path or an open file.
struct FileStatus {
    enum Kind {
        case regular
        case blockDevice
        case folder
        case other
    }

    var kind: Kind
    /// The device of the file system that holds the file.
    var fileSystem: DeviceNumber
    var inode: UInt64
    /// What a device node stands for.
    var device: DeviceNumber
    /// Bytes; 0 for devices.
    var byteCount: UInt64
    /// Of the contents, in nanoseconds since 1970.
    var modificationTime: Int

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFBLK: kind = .blockDevice
        case S_IFDIR: kind = .folder
        default: kind = .other
        }
        fileSystem = DeviceNumber(UInt64(status.st_dev))
        inode = UInt64(status.st_ino)
        device = DeviceNumber(UInt64(status.st_rdev))
        byteCount = UInt64(max(0, status.st_size))
        modificationTime = status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec
    }

    /// Follows links. Nil when there is nothing at `path`.
    static func of(_ path: String) throws(ImageError) -> FileStatus? {
        var status = stat()
        if unsafe stat(path, &status) == 0 { return FileStatus(status) }
        let error = SystemError.last
        if error.number == ENOENT || error.number == ENOTDIR { return nil }
        throw error.image(path, "stat")
    }

    /// Whether both are one file: other names of it, hard links and symbolic links make no difference.
    func isSameFile(as other: FileStatus) -> Bool {
        inode == other.inode && fileSystem == other.fileSystem
    }
}
