import Glibc

/// What stat(2) knows of a file, as far as the storage cares.
struct FileStatus: Equatable {
    let isRegularFile: Bool
    let isFolder: Bool
    let byteCount: UInt64
    let linkCount: UInt64
    let device: UInt64
    let inode: UInt64

    init(_ information: Glibc.stat) {
        isRegularFile = information.st_mode & S_IFMT == S_IFREG
        isFolder = information.st_mode & S_IFMT == S_IFDIR
        byteCount = UInt64(clamping: information.st_size)
        linkCount = UInt64(information.st_nlink)
        device = UInt64(information.st_dev)
        inode = UInt64(information.st_ino)
    }

    func isSameFile(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }

    /// Of `path` itself where it is a symbolic link, unless told to follow. Nil when there is nothing.
    static func at(_ path: String, followingLinks: Bool = false) throws(ErrorNumber) -> FileStatus? {
        try at(path, below: AT_FDCWD, followingLinks: followingLinks)
    }

    /// Of `path` relative to an open folder.
    static func at(_ path: String, below folder: Int32, followingLinks: Bool = false) throws(ErrorNumber) -> FileStatus? {
        var information = Glibc.stat()
        let flags = followingLinks ? 0 : AT_SYMLINK_NOFOLLOW
        guard unsafe fstatat(folder, path, &information, flags) == 0 else {
            let error = ErrorNumber.last
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error
        }
        return FileStatus(information)
    }
}
