import CLinux
import Glibc

/// A new file on its way to its name: until it is whole it has `.incomplete` behind it, so that nobody takes a part of an image for all of it.
///
/// Locked for as long as its writer lives; what a killed writer left is taken over by the next.
struct IncompleteFile {
    private static let suffix = ".incomplete"

    /// Absolute, so that they stay right when the working folder changes.
    let path: String
    let finalPath: String

    init(for path: String) throws(ImageError) {
        do throws(ImageError) {
            finalPath = try AbsolutePath.of(path)
        } catch {
            if case .notFound = error { throw .notFound(path: path) }
            throw error
        }
        // A name with no room for more is used at once.
        let name = finalPath.utf8.count - AbsolutePath.folder(of: finalPath).utf8.count
        self.path = finalPath + (name + IncompleteFile.suffix.utf8.count <= Int(NAME_MAX) ? IncompleteFile.suffix : "")
    }

    /// - Throws: EBUSY if another writer is at work on the same.
    func create() throws(SystemError) -> FileDescriptor {
        do throws(SystemError) {
            let file = try FileDescriptor(opening: path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
            _ = holdfast_try_lock(file.number)
            return file
        } catch {
            guard error.number == EEXIST, path != finalPath else { throw error }
        }
        let file = try FileDescriptor(opening: path, flags: O_RDWR | O_NOFOLLOW)
        guard isLeftover(file) else { throw SystemError(number: EEXIST) }
        guard holdfast_try_lock(file.number) == 0 else { throw SystemError(number: EBUSY) }
        guard ftruncate(file.number, 0) == 0 else { throw .last }
        return file
    }

    /// Whether it can be what a killed writer of the same user left; somebody's file that happens to have the name is not emptied.
    private func isLeftover(_ file: borrowing FileDescriptor) -> Bool {
        var status = stat()
        return unsafe fstat(file.number, &status) == 0 && status.st_mode == S_IFREG | 0o600 && status.st_nlink == 1 && status.st_uid == geteuid()
    }

    /// Gives the file its name; durable when the call returns.
    ///
    /// - Throws: `.unsuitable` if something took the name meanwhile; the file then keeps the one it has.
    func publish() throws(ImageError) {
        if path != finalPath { try rename() }
        do throws(SystemError) {
            let folder = try FileDescriptor(opening: AbsolutePath.folder(of: finalPath), flags: O_RDONLY | O_DIRECTORY)
            try folder.synchronize()
        } catch { throw error.image(finalPath, "fsync") }
    }

    private func rename() throws(ImageError) {
        if unsafe holdfast_rename_no_replace(path, finalPath) == 0 { return }
        var error = SystemError.last
        if [EINVAL, ENOSYS, EOPNOTSUPP].contains(error.number) {
            // A file system that cannot rename without replacing.
            if unsafe link(path, finalPath) == 0 {
                unsafe unlink(path)
                return
            }
            error = .last
            if [EPERM, EOPNOTSUPP, ENOSYS].contains(error.number), try FileStatus.of(finalPath) == nil {
                if unsafe Glibc.rename(path, finalPath) == 0 { return }
                error = .last
            }
        }
        guard error.number == EEXIST else { throw error.image(finalPath, "rename") }
        throw .unsuitable(path: finalPath, reason: "something took this name meanwhile; the image is whole and is in \(path)")
    }

    /// Removes the file, unless another took its place.
    func remove(_ file: borrowing FileDescriptor) throws(ImageError) {
        let own: FileStatus
        do throws(SystemError) { own = try file.status() } catch { throw error.image(path, "stat") }
        guard let present = try FileStatus.of(path), present.isSameFile(as: own) else { return }
        guard unsafe unlink(path) == 0 else { throw SystemError.last.image(path, "unlink") }
    }
}
