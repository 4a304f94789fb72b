import Bytes
import CLinux
import Glibc
import Storage

/// The file of an object on its way to its name: written, made durable, then given the name unless that is taken.
///
/// It has no name at all where the file system can do that (O_TMPFILE), so that a dead writer leaves nothing behind; elsewhere
/// it has a name that no object can have, and is locked for as long as its writer lives (`Leftovers`). Dropping it without
/// publishing it removes it.
struct NewFile: ~Copyable {
    /// From this size on a write goes past the page cache: copying packs through it costs more than all hashing.
    static let directByteCountMin = 1 << 20

    private let calls: FileCalls
    private let file: OpenFile
    /// Nil while the file has no name to be removed.
    private var temporaryPath: String?
    private var isDirect: Bool

    private init(path: String, flags: Int32, temporaryPath: String?, direct: Bool, calls: FileCalls) throws(ErrorNumber) {
        var isDirect = direct
        file = try NewFile.open(path, flags: O_WRONLY | flags, direct: &isDirect, calls: calls)
        self.isDirect = isDirect
        self.temporaryPath = temporaryPath
        self.calls = calls
    }

    deinit {
        guard let temporaryPath else { return }
        // What cannot be removed now is a leftover, which a later writer removes.
        do throws(ErrorNumber) { try calls.unlink(temporaryPath) } catch { return }
    }

    /// A file without a name. - Throws: `ENOENT` when the folder is missing; see `isUnsupportedWithoutName`.
    static func nameless(in folder: String, direct: Bool, calls: FileCalls) throws(ErrorNumber) -> NewFile {
        try NewFile(path: folder, flags: holdfast_o_tmpfile, temporaryPath: nil, direct: direct, calls: calls)
    }

    /// A file with a temporary name. - Throws: `ENOENT` when the folder is missing.
    static func named(in folder: String, direct: Bool, calls: FileCalls) throws(ErrorNumber) -> NewFile {
        while true {
            let path = "\(folder)/\(Leftovers.newName())"
            let new = try NewFile(
                path: path, flags: O_CREAT | O_EXCL | O_NOFOLLOW, temporaryPath: path, direct: direct, calls: calls)
            // Another writer may have taken it for a leftover before the lock was held; then it is his to remove.
            if try Leftovers.lock(new.file.descriptor, calls: calls), try new.file.status().linkCount > 0 { return new }
        }
    }

    /// Whether an error of `nameless` or of `publish` says that this file system cannot do it, and named files should be tried.
    static func isUnsupportedWithoutName(_ error: ErrorNumber) -> Bool {
        [EOPNOTSUPP, EISDIR, EINVAL, ENOSYS, EXDEV].contains(error.code)
    }

    /// Local 2: writes all of the object. Only `bytes` that lie on a 4 KiB boundary may go to a file opened as `direct`.
    mutating func write(_ bytes: Span<UInt8>) throws(ErrorNumber) {
        let alignment = AlignedBuffer.alignment
        let alignedByteCount = bytes.count / alignment * alignment
        var offset = 0
        while offset < bytes.count {
            // The tail, and whatever follows a short write, no longer fits whole blocks.
            if isDirect, offset == alignedByteCount || offset % alignment != 0 { try writeBuffered() }
            let piece = bytes.extracting(offset..<(isDirect ? alignedByteCount : bytes.count))
            do throws(ErrorNumber) {
                let byteCount = try calls.write(file.descriptor, piece, Int64(offset))
                guard byteCount > 0 else { throw ErrorNumber(code: EIO) }
                offset += byteCount
            } catch {
                switch error.code {
                case EINTR: continue
                case EINVAL where isDirect: try writeBuffered()
                case EIO where Mutant.swallowsWriteError.isActive: return
                default: throw error
                }
            }
        }
    }

    /// Local 3: makes the bytes durable. Once it has failed, the file must be dropped: the kernel forgets what it could not write, so
    /// a second attempt would succeed and mean nothing.
    func synchronize() throws(ErrorNumber) {
        if Mutant.skipsFileSync.isActive { return }
        try retryingInterrupts { () throws(ErrorNumber) in try calls.synchronizeData(file.descriptor) }
    }

    /// Local 4: gives the file its name, unless that is taken.
    consuming func publish(as path: String) throws(ErrorNumber) -> PutOutcome {
        do throws(ErrorNumber) {
            if let temporaryPath {
                try rename(temporaryPath, to: path)
            } else {
                try calls.linkDescriptor(file.descriptor, path)
            }
            return .created
        } catch {
            guard error.code == EEXIST else { throw error }
            return .occupied
        }
    }

    private mutating func rename(_ temporaryPath: String, to path: String) throws(ErrorNumber) {
        do throws(ErrorNumber) {
            try calls.renameNoReplace(temporaryPath, path)
            self.temporaryPath = nil
        } catch {
            guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(error.code) else { throw error }
            try link(temporaryPath, to: path)
        }
    }

    /// For file systems that cannot rename without replacing. The temporary name is removed when the file is dropped.
    private func link(_ temporaryPath: String, to path: String) throws(ErrorNumber) {
        do throws(ErrorNumber) {
            try calls.link(temporaryPath, path)
        } catch {
            // On NFS the reply may have been lost and the call repeated: the name is taken, but by this very file.
            let own = try file.status()
            guard error.code == EEXIST, let other = try FileStatus.at(path), other.isSameFile(as: own) else { throw error }
        }
    }

    private mutating func writeBuffered() throws(ErrorNumber) {
        try calls.clearDirect(file.descriptor)
        isDirect = false
    }

    /// Leaves `direct` false where the file system refuses it.
    private static func open(_ path: String, flags: Int32, direct: inout Bool, calls: FileCalls) throws(ErrorNumber) -> OpenFile {
        if direct {
            do throws(ErrorNumber) {
                return try OpenFile(path, flags: flags | holdfast_o_direct, mode: 0o600, calls: calls)
            } catch {
                guard error.code == EINVAL else { throw error }
                // Some file systems create the file before they refuse the flag; O_EXCL would now find it.
                if flags & O_EXCL != 0 {
                    do throws(ErrorNumber) { try calls.unlink(path) } catch { guard error.code == ENOENT else { throw error } }
                }
            }
        }
        direct = false
        return try OpenFile(path, flags: flags, mode: 0o600, calls: calls)
    }
}
