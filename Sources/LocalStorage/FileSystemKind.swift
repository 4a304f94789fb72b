import CLinux
import Glibc

/// The file systems behind which another machine may stand, told by statfs(2)'s magic numbers.
enum FileSystemKind {
    private static let networkMagics: Set<UInt64> = [
        0x6969,  // NFS
        0x517B, 0xFF53_4D42, 0xFE53_4D42,  // SMB, CIFS, SMB 2 and later
        0x6573_5546,  // FUSE and virtiofs: sshfs, rclone and others, which cannot be told from local ones
        0x00C3_6400,  // Ceph
        0x0102_1997,  // 9P
        0x5346_414F, 0x6B41_4653,  // AFS
        0x7375_7245,  // Coda
        0x0BD0_0BD0,  // Lustre
        0x4750_4653,  // GPFS
        0x1983_0326,  // BeeGFS
        0x786F_4256,  // VirtualBox shared folders
    ]

    static func isNetwork(magic: UInt64) -> Bool { networkMagics.contains(magic) }

    /// Whether `path`, or the nearest folder above it that exists, is on a network file system. What cannot be asked counts as one.
    static func isNetwork(path: String) -> Bool {
        var path = path
        while true {
            let magic = unsafe holdfast_file_system_type(path)
            if magic != 0 { return isNetwork(magic: magic) }
            guard errno == ENOENT, path != "/", !path.isEmpty else { return true }
            path = parentFolder(of: path)
        }
    }
}

/// The folder that holds `path`, which is absolute and does not end in a slash.
func parentFolder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
}
