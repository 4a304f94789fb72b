import CLinux
package import DiskLayout
import Glibc

extension SourceFreeze {
    /// What frozen file systems on a device do not use, as they tell themselves (ioctl_getfsmap(2)): the log of an XFS is never clean while it is mounted, and not every log can be
    /// understood from outside. By where in the device each begins.
    ///
    /// Those that do not tell, or of which it is not known where on the device they are, are left out. To be called between `begin` and `end`.
    package func freeSpace(on source: FileImageReader) throws(ImageError) -> [UInt64: FreeMap] {
        guard case .device(let disk)? = try Medium.of(source.identity.path) else { return [:] }
        var found: [UInt64: FreeMap] = [:]
        for fileSystem in fileSystems {
            guard let place = try BlockDevice(number: fileSystem.device).place(on: BlockDevice(number: disk)) else { continue }
            if let map = try fileSystem.freeMap(within: source.byteCount - min(source.byteCount, place)) { found[place] = map }
        }
        return found
    }
}

extension MountedFileSystem {
    /// Nil where it does not tell.
    fileprivate func freeMap(within byteCount: UInt64) throws(ImageError) -> FreeMap? {
        let folder: FileDescriptor
        do throws(SystemError) { folder = try FileDescriptor(opening: mountPoint, flags: O_RDONLY | O_DIRECTORY) } catch { throw error.image(mountPoint, "open") }
        var ranges: UnsafeMutablePointer<holdfast_range>?
        let count = unsafe holdfast_free_ranges(folder.number, DiskLayoutLimits.freeRangeCountMax, &ranges)
        defer { unsafe free(ranges) }
        guard count > 0, let ranges = unsafe ranges else { return nil }
        var builder = FreeMapBuilder(volumeByteCount: byteCount)
        for unsafe range in unsafe UnsafeBufferPointer(start: ranges, count: Int(count)) {
            guard range.byte_count <= byteCount, range.offset <= byteCount - range.byte_count, builder.add(range.offset..<range.offset + range.byte_count) else { return nil }
        }
        return builder.finish()
    }
}

extension BlockDevice {
    /// Where on a disk this device begins, if it is that disk or a partition of it.
    fileprivate func place(on disk: BlockDevice) throws(ImageError) -> UInt64? {
        if self == disk { return 0 }
        guard try wholeDisk() == disk, let start = try startSector() else { return nil }
        // sysfs counts in 512 bytes, whatever the sectors of the disk are.
        return start * 512
    }
}
