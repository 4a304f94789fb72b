import CLinux
import Glibc
import Synchronization

/// Restores into a regular file: a new sparse one, or one that is there already.
public final class FileImageWriter: ImageWriter {
    public let isOrdered = false
    /// True for a file that was just created or held nothing.
    public let isBlank: Bool

    private let path: String
    private let file: FileDescriptor
    private let direct: DirectOutput?
    private let directInput: DirectInput?
    /// Nil for a file that was there before.
    private let new: IncompleteFile?
    private let cached = CachedRanges()
    private let isFinished = Atomic<Bool>(false)
    private let punchesHoles = Atomic<Bool>(true)

    /// Creates the file, readable by its owner alone: an image holds everything the disk held. It gets its name when it is finished.
    ///
    /// - Throws: `.unsuitable` when there is a file and `allowExisting` is false, or when there is something else.
    public init(path: String, allowExisting: Bool) throws(ImageError) {
        self.path = path
        if try FileImageWriter.isNew(path) {
            let new = try IncompleteFile(for: path)
            do throws(SystemError) { file = try new.create() } catch { throw error.image(new.path, "create") }
            self.new = new
        } else {
            new = nil
            file = try FileImageWriter.openExisting(path, allowExisting)
        }
        direct = DirectOutput(to: file)
        directInput = DirectInput(to: file)
        do throws(SystemError) { isBlank = try file.status().byteCount == 0 } catch { throw error.image(path, "stat") }
    }

    /// Whether nothing has that name, not even a link to nothing.
    private static func isNew(_ path: String) throws(ImageError) -> Bool {
        var status = stat()
        if unsafe lstat(path, &status) == 0 { return false }
        let error = SystemError.last
        guard error.number == ENOENT else { throw error.image(path, "stat") }
        return true
    }

    private static func openExisting(_ path: String, _ allowExisting: Bool) throws(ImageError) -> FileDescriptor {
        guard let status = try FileStatus.of(path) else { throw .unsuitable(path: path, reason: "it is a link to nothing") }
        guard allowExisting else { throw .unsuitable(path: path, reason: "it exists already; it is overwritten only on request") }
        guard status.kind == .regular else { throw .unsuitable(path: path, reason: "it is not a regular file") }
        if let reason = try DeviceUsage.reason(file: status) { throw .inUse(path: path, reason: reason) }
        let file: FileDescriptor
        do throws(SystemError) { file = try FileDescriptor(opening: path, flags: O_RDWR) } catch { throw error.image(path, "open") }
        // QEMU locks the images of its machines in the same way. A file system that knows no locks has none.
        if holdfast_try_lock(file.number) != 0, [EAGAIN, EACCES].contains(errno) {
            throw .inUse(path: path, reason: "another program has locked it, such as another restore, or a machine whose disk it is")
        }
        return file
    }

    /// Makes the file exactly as long as the image.
    public func prepare(byteCount: UInt64) throws(ImageError) {
        guard ftruncate(file.number, Int(byteCount)) == 0 else { throw SystemError.last.image(path, "setting the size") }
    }

    public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ImageError) {
        do throws(SystemError) { try file.write(bytes, at: offset, direct: direct, cached: cached) } catch { throw error.image(path, "write") }
    }

    /// Makes a hole, where the file system has such.
    public func discard(at offset: UInt64, byteCount: UInt64) throws(ImageError) -> Bool {
        guard byteCount > 0, punchesHoles.load(ordering: .relaxed) else { return false }
        if holdfast_punch_hole(file.number, offset, byteCount) == 0 { return true }
        let error = SystemError.last
        guard [EOPNOTSUPP, ENOSYS, EINVAL, EPERM].contains(error.number) else { throw error.image(path, "punching a hole") }
        punchesHoles.store(false, ordering: .relaxed)
        return false
    }

    public func writeZeros(at offset: UInt64, byteCount: UInt64) throws(ImageError) {
        if byteCount == 0 { return }
        if try discard(at: offset, byteCount: byteCount) { return }
        cached.add(offset..<offset + byteCount)
        do throws(SystemError) {
            try file.writeZeroBytes(at: offset, byteCount: byteCount)
        } catch {
            throw error.image(path, "write")
        }
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        if directInput?.isOpen != true { cached.add(offset..<offset + UInt64(bytes.count)) }
        do throws(ReadFailure) {
            return try file.read(at: offset, into: &bytes, direct: directInput)
        } catch {
            throw .unreadable(path: path, offset: error.offset, reason: error.error.reason)
        }
    }

    public func isHole(_ range: Range<UInt64>) -> Bool {
        let data = lseek(file.number, off_t(range.lowerBound), holdfast_seek_data)
        return data < 0 ? errno == ENXIO : UInt64(data) >= range.upperBound
    }

    /// Returns when the contents, and for a new file its name, are durable. The page cache is asked to let go of what this restore put there; what others have elsewhere in it stays.
    public func finish() throws(ImageError) {
        do throws(SystemError) { try file.synchronize() } catch { throw error.image(path, "fsync") }
        if new != nil { _ = posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED) } else { cached.drop(from: file) }
        isFinished.store(true, ordering: .releasing)
        try new?.publish()
    }

    /// Removes what a failed restore leaves of a file that it made. To be called when a restore ends without `finish`.
    ///
    /// A file that existed before is never removed, nor one that took the place of ours, nor one that is whole.
    public func discardIncomplete() throws(ImageError) {
        guard let new, !isFinished.load(ordering: .acquiring) else { return }
        try new.remove(file)
    }
}
