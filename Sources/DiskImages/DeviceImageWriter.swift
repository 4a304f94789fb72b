import CLinux
import Glibc
import Synchronization

/// Restores onto a block device that nobody else uses.
public final class DeviceImageWriter: ImageWriter {
    public let isOrdered = false
    public let isBlank = false
    /// How large the device is, in bytes.
    public let byteCount: UInt64
    public let identity: SourceIdentity

    /// Zeros are asked of the device in whole pages, so that a page in the cache is never half of each.
    private static let alignment: UInt64 = 4096
    /// One request of the device; a large one could not be interrupted for minutes.
    private static let zeroPieceByteCount: UInt64 = 256 << 20

    private let path: String
    private let file: FileDescriptor
    private let direct: DirectOutput?
    private let directInput: DirectInput?
    private let zeroesOut = Atomic<Bool>(true)

    /// Claims the device until the writer is gone: until then it can be neither mounted nor claimed by others.
    ///
    /// - Throws: `.inUse` with whoever is found to use it; `.notFound`, `.accessDenied`; `.unsuitable` if it is no block device or read-only.
    public init(path: String) throws(ImageError) {
        guard let status = try FileStatus.of(path) else { throw .notFound(path: path) }
        guard status.kind == .blockDevice else { throw .unsuitable(path: path, reason: "it is not a block device") }
        let device = BlockDevice(number: status.device)
        // Asked first for the better message, and because a loop device on top claims nothing.
        if let reason = try DeviceUsage.reason(device) { throw .inUse(path: path, reason: reason) }
        if try device.isReadOnly() { throw .unsuitable(path: path, reason: "the device is read-only") }
        do throws(SystemError) {
            file = try DeviceImageWriter.claim(path)
            byteCount = try file.deviceByteCount()
        } catch {
            if error.number == EBUSY { throw .inUse(path: path, reason: "the kernel or another program has claimed it") }
            throw error.image(path, "open")
        }
        direct = DirectOutput(to: file)
        directInput = DirectInput(to: file)
        self.path = path
        identity = try SourceIdentity(device: device, file, path: AbsolutePath.of(path))
        let claimed: FileStatus
        do throws(SystemError) { claimed = try file.status() } catch { throw error.image(path, "stat") }
        guard claimed.kind == .blockDevice, claimed.device == status.device else {
            throw .inUse(path: path, reason: "the name came to stand for another device just now")
        }
    }

    /// On a block device, O_EXCL fails when a file system, or anybody else, has claimed it (open(2)). Some claims pass: whoever sets up loop
    /// devices or reads partition tables holds one for a moment, so a refusal counts only after 300 ms.
    private static func claim(_ path: String) throws(SystemError) -> FileDescriptor {
        for _ in 0..<15 {
            do throws(SystemError) {
                return try FileDescriptor(opening: path, flags: O_RDWR | O_EXCL)
            } catch {
                guard error.number == EBUSY else { throw error }
                usleep(20_000)
            }
        }
        return try FileDescriptor(opening: path, flags: O_RDWR | O_EXCL)
    }

    /// What lies behind the image's end is left as it is.
    public func prepare(byteCount needed: UInt64) throws(ImageError) {
        guard needed <= byteCount else { throw .tooSmall(path: path, byteCount: byteCount, needed: needed) }
    }

    public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ImageError) {
        try requireWithin(offset, UInt64(bytes.count))
        do throws(SystemError) { try file.write(bytes, at: offset, direct: direct) } catch { throw error.image(path, "write") }
    }

    /// Uses BLKZEROOUT, which the kernel lets the device do if it can, and does itself otherwise. A discard alone would be faster, but what a
    /// discarded sector reads as is not promised.
    public func writeZeros(at offset: UInt64, byteCount: UInt64) throws(ImageError) {
        try requireWithin(offset, byteCount)
        let end = offset + byteCount
        var position = offset
        let firstWhole = min(end, (offset + DeviceImageWriter.alignment - 1) & ~(DeviceImageWriter.alignment - 1))
        let lastWhole = max(firstWhole, end & ~(DeviceImageWriter.alignment - 1))
        do throws(SystemError) {
            try file.writeZeroBytes(at: position, byteCount: firstWhole - position)
            position = firstWhole
            while position < lastWhole {
                let pieceByteCount = min(DeviceImageWriter.zeroPieceByteCount, lastWhole - position)
                try zeroOut(at: position, byteCount: pieceByteCount)
                position += pieceByteCount
            }
            try file.writeZeroBytes(at: position, byteCount: end - position)
        } catch {
            throw error.image(path, "writing zeros")
        }
    }

    /// In pieces, as `writeZeros`. Blocks that are not whole are left as they are.
    public func discard(at offset: UInt64, byteCount: UInt64) throws(ImageError) -> Bool {
        try requireWithin(offset, byteCount)
        let mask = DeviceImageWriter.alignment - 1
        var position = (offset + mask) & ~mask
        let end = (offset + byteCount) & ~mask
        while position < end {
            let pieceByteCount = min(DeviceImageWriter.zeroPieceByteCount, end - position)
            guard holdfast_device_discard(file.number, position, pieceByteCount) == 0 else {
                let error = SystemError.last
                guard [EOPNOTSUPP, ENOTTY, EINVAL].contains(error.number) else { throw error.image(path, "discarding") }
                return false
            }
            position += pieceByteCount
        }
        return true
    }

    private func zeroOut(at offset: UInt64, byteCount: UInt64) throws(SystemError) {
        if zeroesOut.load(ordering: .relaxed) {
            if holdfast_device_zero_out(file.number, offset, byteCount) == 0 { return }
            let error = SystemError.last
            guard [EOPNOTSUPP, ENOTTY, EINVAL].contains(error.number) else { throw error }
            zeroesOut.store(false, ordering: .relaxed)
        }
        try file.writeZeroBytes(at: offset, byteCount: byteCount)
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        do throws(ReadFailure) {
            return try file.read(at: offset, into: &bytes, direct: directInput)
        } catch {
            throw .unreadable(path: path, offset: error.offset, reason: error.error.reason)
        }
    }

    /// Returns when everything is on the device. Its cached pages are dropped, so that what is read afterwards comes from the medium.
    public func finish() throws(ImageError) {
        do throws(SystemError) { try file.synchronize() } catch { throw error.image(path, "fsync") }
        // BLKFLSBUF takes CAP_SYS_ADMIN; whoever lacks it can still ask for clean pages to be dropped.
        if holdfast_device_flush_cache(file.number) != 0 {
            let error = SystemError.last
            guard error.number == EACCES || error.number == EPERM else { throw error.image(path, "flushing the cache") }
            _ = posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED)
        }
        // The kernel still goes by the partitions that were there before. Where it cannot look again, as in a partition, nothing here depends on it.
        _ = holdfast_device_reread_partitions(file.number)
    }

    /// The kernel would say "no space left", which is the wrong word for a device.
    private func requireWithin(_ offset: UInt64, _ count: UInt64) throws(ImageError) {
        guard offset <= byteCount, count <= byteCount - offset else {
            throw .tooSmall(path: path, byteCount: byteCount, needed: offset + count)
        }
    }
}
