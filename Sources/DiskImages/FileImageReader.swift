import CLinux
import Glibc
import Synchronization

/// An image in a regular file, or a block device.
///
/// Reading leaves the page cache as it was where the kernel can do that: a backup must not push out what the machine works with.
public final class FileImageReader: ImageReader {
    public let byteCount: UInt64
    public let identity: SourceIdentity

    private let path: String
    private let file: FileDescriptor
    private let isDevice: Bool
    /// When the file was opened, or reading began.
    private let modificationTime: Atomic<Int>
    private let readsUncached = Atomic<Bool>(true)

    /// Devices are not claimed: a mounted one can be read.
    ///
    /// - Throws: `.notFound`, `.accessDenied`; `.unsuitable` for a folder, pipe or character device.
    public init(path: String) throws(ImageError) {
        // Asked before opening, because opening a pipe would wait for a writer.
        guard let before = try FileStatus.of(path) else { throw .notFound(path: path) }
        try FileImageReader.requireImage(before, path)
        do throws(SystemError) {
            file = try FileDescriptor(opening: path, flags: O_RDONLY)
            let status = try file.status()
            isDevice = status.kind == .blockDevice
            byteCount = isDevice ? try file.deviceByteCount() : status.byteCount
            self.path = path
        } catch {
            throw error.image(path, "open")
        }
        let status: FileStatus
        do throws(SystemError) { status = try file.status() } catch { throw error.image(path, "stat") }
        try FileImageReader.requireImage(status, path)
        modificationTime = Atomic(status.modificationTime)
        identity =
            isDevice
            ? try SourceIdentity(device: BlockDevice(number: status.device), file, path: AbsolutePath.of(path))
            : SourceIdentity(file: try AbsolutePath.of(path))
        if isDevice { forgetCached() }
        // Advice; it changes speed alone.
        _ = posix_fadvise(file.number, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    /// For a child that is to read the same.
    func withDescriptor<Outcome>(_ body: (Int32) throws(SystemError) -> Outcome) throws(SystemError) -> Outcome { try body(file.number) }

    private static func requireImage(_ status: FileStatus, _ path: String) throws(ImageError) {
        switch status.kind {
        case .regular, .blockDevice: return
        case .folder: throw .unsuitable(path: path, reason: "it is a folder; an image is a file or a block device")
        case .other: throw .unsuitable(path: path, reason: "it is neither a file nor a block device")
        }
    }

    public func currentByteCount() throws(ImageError) -> UInt64 {
        do throws(SystemError) {
            return isDevice ? try file.deviceByteCount() : try file.status().byteCount
        } catch {
            throw error.image(path, "stat")
        }
    }

    /// A device does not tell.
    public func hasChanged() throws(ImageError) -> Bool {
        do throws(SystemError) {
            if isDevice { return false }
            return try file.status().modificationTime != modificationTime.load(ordering: .relaxed)
        } catch {
            throw error.image(path, "stat")
        }
    }

    /// To be called when the source holds still, if it is made to: what was written to it until now is seen, and is no change.
    ///
    /// Drops what the page cache holds of a device, as far as nobody works with it there. A mounted file system writes past this cache: what an
    /// earlier reader left there is shown unchanged, however long something else lies on the disk. A file has one cache for all.
    public func beginReading() throws(ImageError) {
        guard isDevice else {
            do throws(SystemError) { modificationTime.store(try file.status().modificationTime, ordering: .relaxed) } catch { throw error.image(path, "stat") }
            return
        }
        forgetCached()
    }

    private func forgetCached() {
        // Who may not flush can at least give clean pages up. Neither can make what is read worse.
        if holdfast_device_flush_cache(file.number) != 0 { _ = posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED) }
    }

    public func extent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        precondition(offset < byteCount, "within the image")
        if isDevice { return ImageExtent(kind: .data, end: byteCount) }
        let data = lseek(file.number, Int(offset), holdfast_seek_data)
        if data < 0 {
            // ENXIO: no data from here on. All other answers: the file system does not know, or cannot say.
            return errno == ENXIO ? try lastExtent(at: offset) : ImageExtent(kind: .data, end: byteCount)
        }
        if data > Int(offset) { return ImageExtent(kind: .zero, end: min(UInt64(data), byteCount)) }
        let hole = lseek(file.number, Int(offset), holdfast_seek_hole)
        // No hole behind data means that the file changed between the two calls.
        guard hole > Int(offset) else { return ImageExtent(kind: .data, end: byteCount) }
        return ImageExtent(kind: .data, end: min(UInt64(hole), byteCount))
    }

    /// A hole reaches to the file's end. What a shrunk file lost is data, so that reading it shows the loss.
    private func lastExtent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        let current = try currentByteCount()
        return current <= offset
            ? ImageExtent(kind: .data, end: byteCount) : ImageExtent(kind: .zero, end: min(current, byteCount))
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        precondition(offset <= byteCount && UInt64(bytes.count) <= byteCount - offset, "within the image")
        do throws(ReadFailure) {
            return try unsafe file.read(at: offset, into: &bytes) { descriptor, memory, byteCount, place in
                if readsUncached.load(ordering: .relaxed) {
                    let result = unsafe holdfast_read_uncached(descriptor, memory, byteCount, Int64(place))
                    // EOPNOTSUPP: before Linux 6.14, or this file system. Any other failure keeps its errno.
                    guard result < 0, errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL else { return result }
                    readsUncached.store(false, ordering: .relaxed)
                }
                return unsafe pread(descriptor, memory, byteCount, place)
            }
        } catch {
            if isWorthDirectRead(at: offset, byteCount: bytes.count) {
                do throws(ReadFailure) { return try file.readDirectly(at: offset, into: &bytes) } catch {}  // The first failure tells more.
            }
            throw .unreadable(path: path, offset: error.offset, reason: error.error.reason)
        }
    }

    private func isWorthDirectRead(at offset: UInt64, byteCount: Int) -> Bool {
        let sector = UInt64(identity.logicalSectorByteCount)
        return isDevice && byteCount <= FileDescriptor.directByteCountMax && offset % sector == 0 && UInt64(byteCount) % sector == 0
    }

    public func prefetch(at offset: UInt64, byteCount: UInt64) {
        guard offset < self.byteCount else { return }
        _ = posix_fadvise(file.number, Int(offset), Int(min(byteCount, self.byteCount - offset)), POSIX_FADV_WILLNEED)
    }
}

extension FileDescriptor {
    /// - Throws: ENOTTY when it is not a block device.
    func deviceByteCount() throws(SystemError) -> UInt64 {
        var byteCount: UInt64 = 0
        guard unsafe holdfast_device_byte_count(number, &byteCount) == 0 else { throw .last }
        return byteCount
    }

    /// Bytes that the device reads and writes at once, 512 if it does not tell.
    func deviceSectors() -> (logicalByteCount: UInt32, physicalByteCount: UInt32) {
        var logical: UInt32 = 0
        var physical: UInt32 = 0
        let isKnown = unsafe holdfast_device_logical_sector(number, &logical) == 0 && logical >= 512
        if !isKnown { logical = 512 }
        let hasPhysical = unsafe holdfast_device_physical_sector(number, &physical) == 0 && physical >= logical
        return (logical, hasPhysical ? physical : logical)
    }
}
