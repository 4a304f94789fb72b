import CLinux
import Glibc
import Synchronization

/// A second way into an open file or device, past the page cache, for whole blocks: copying an image through the cache costs more than everything
/// else that a restore does. (open(2), O_DIRECT.)
///
/// Everything else goes through the first descriptor; the kernel keeps both views the same.
final class DirectOutput: Sendable {
    private static let alignment = 4096

    private let file: FileDescriptor
    private let isRefused = Atomic<Bool>(false)

    /// Nil where there is no such way: the file system does not offer it, or /proc is not there.
    init?(to file: borrowing FileDescriptor) {
        do throws(SystemError) {
            self.file = try FileDescriptor(opening: "/proc/self/fd/\(file.number)", flags: O_WRONLY | holdfast_o_direct)
        } catch { return nil }
    }

    /// Writes as much of the beginning of `bytes` as is whole blocks in memory and on the target; returns how much that was.
    func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) -> Int {
        let byteCount = bytes.count / DirectOutput.alignment * DirectOutput.alignment
        let isAligned = unsafe bytes.withUnsafeBytes { Int(bitPattern: $0.baseAddress) % DirectOutput.alignment == 0 }
        guard byteCount > 0, isAligned, offset % UInt64(DirectOutput.alignment) == 0, !isRefused.load(ordering: .relaxed) else { return 0 }
        do throws(SystemError) {
            try file.write(bytes.extracting(first: byteCount), at: offset)
            return byteCount
        } catch {
            // Blocks of another size, or a file system that promised too much. Nothing is lost by writing all of it again.
            guard error.number == EINVAL else { throw error }
            isRefused.store(true, ordering: .relaxed)
            return 0
        }
    }
}

extension FileDescriptor {
    /// Writes all of `bytes`, past the page cache as far as possible; what was not goes into `cached`.
    func write(_ bytes: Span<UInt8>, at offset: UInt64, direct: DirectOutput?, cached: CachedRanges? = nil) throws(SystemError) {
        let done = try direct?.write(bytes, at: offset) ?? 0
        cached?.add(offset + UInt64(done)..<offset + UInt64(bytes.count))
        try write(bytes.extracting(done..<bytes.count), at: offset + UInt64(done))
    }
}
