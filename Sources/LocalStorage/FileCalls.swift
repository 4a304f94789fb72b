import CLinux
import Glibc

/// The system calls that the local storage makes, each replaceable, so that a test can make one fail or record their order.
package struct FileCalls: Sendable {
    /// openat(2) without a folder: path, flags, permissions.
    package var open: @Sendable (String, Int32, UInt32) throws(ErrorNumber) -> Int32
    /// pwrite(2): how many bytes were written.
    package var write: @Sendable (Int32, Span<UInt8>, Int64) throws(ErrorNumber) -> Int
    /// pread(2) to the memory's start: how many bytes were read, 0 at the end.
    package var read: @Sendable (Int32, inout MutableSpan<UInt8>, Int64) throws(ErrorNumber) -> Int
    /// fcntl(2): takes O_DIRECT off.
    package var clearDirect: @Sendable (Int32) throws(ErrorNumber) -> Void
    /// fdatasync(2), of a file.
    package var synchronizeData: @Sendable (Int32) throws(ErrorNumber) -> Void
    /// fsync(2), of a folder.
    package var synchronizeFolder: @Sendable (Int32) throws(ErrorNumber) -> Void
    /// linkat(2) of an open nameless file through `/proc/self/fd`.
    package var linkDescriptor: @Sendable (Int32, String) throws(ErrorNumber) -> Void
    /// link(2): from, to.
    package var link: @Sendable (String, String) throws(ErrorNumber) -> Void
    /// renameat2(2) with RENAME_NOREPLACE: from, to.
    package var renameNoReplace: @Sendable (String, String) throws(ErrorNumber) -> Void
    /// unlink(2).
    package var unlink: @Sendable (String) throws(ErrorNumber) -> Void
    /// mkdir(2) for the owner alone.
    package var makeFolder: @Sendable (String) throws(ErrorNumber) -> Void
    /// readdir(3): nil at the end.
    package var nextEntry: @Sendable (FolderStream) throws(ErrorNumber) -> String?
    /// fcntl(2) F_OFD_SETLK on the whole file.
    package var tryLock: @Sendable (Int32) throws(ErrorNumber) -> Void

    package static let live = FileCalls(
        open: { path, flags, mode throws(ErrorNumber) in
            try checked(unsafe holdfast_open(path, flags, mode))
        },
        write: { descriptor, bytes, offset throws(ErrorNumber) in
            // Safe: the kernel only reads, and no longer than the call lasts.
            try checked(unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset)) })
        },
        read: { descriptor, memory, offset throws(ErrorNumber) in
            // Safe: the kernel writes no more than the memory holds, and no longer than the call lasts.
            try checked(unsafe memory.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, off_t(offset)) })
        },
        clearDirect: { descriptor throws(ErrorNumber) in _ = try checked(holdfast_clear_direct(descriptor)) },
        synchronizeData: { descriptor throws(ErrorNumber) in _ = try checked(fdatasync(descriptor)) },
        synchronizeFolder: { descriptor throws(ErrorNumber) in _ = try checked(fsync(descriptor)) },
        linkDescriptor: { descriptor, path throws(ErrorNumber) in
            _ = try checked(unsafe linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, path, AT_SYMLINK_FOLLOW))
        },
        link: { from, to throws(ErrorNumber) in _ = try checked(unsafe Glibc.link(from, to)) },
        renameNoReplace: { from, to throws(ErrorNumber) in _ = try checked(unsafe holdfast_rename_no_replace(from, to)) },
        unlink: { path throws(ErrorNumber) in _ = try checked(unsafe Glibc.unlink(path)) },
        makeFolder: { path throws(ErrorNumber) in _ = try checked(unsafe mkdir(path, 0o700)) },
        nextEntry: { stream throws(ErrorNumber) in try stream.next() },
        tryLock: { descriptor throws(ErrorNumber) in _ = try checked(holdfast_try_lock(descriptor)) })

    private static func checked<Value: SignedInteger>(_ result: Value) throws(ErrorNumber) -> Value {
        guard result >= 0 else { throw .last }
        return result
    }
}
