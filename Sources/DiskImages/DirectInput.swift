import CLinux
import Glibc
import Synchronization

/// A second way to read an open file or device, past the page cache, for whole blocks: what is compared once need not push others out of the cache, and a fast device
/// is read faster. (open(2), O_DIRECT.)
///
/// What the cache holds is taken from there.
final class DirectInput: Sendable {
    private static let alignment = 4096

    private let file: FileDescriptor
    private let isRefused = Atomic<Bool>(false)
    /// False once the way turned out not to be there after all.
    var isOpen: Bool { !isRefused.load(ordering: .relaxed) }

    /// Nil where there is no such way: the file system does not offer it, or /proc is not there.
    init?(to file: borrowing FileDescriptor) {
        do throws(SystemError) {
            self.file = try FileDescriptor(opening: "/proc/self/fd/\(file.number)", flags: O_RDONLY | holdfast_o_direct)
        } catch { return nil }
    }

    /// Fills `bytes`, if they are whole blocks that the cache does not hold.
    ///
    /// - Returns: nil if nothing was read; less than asked for only where the target ends.
    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ReadFailure) -> Int? {
        let byteCount = bytes.count
        let isAligned = unsafe bytes.withUnsafeMutableBytes { Int(bitPattern: $0.baseAddress) % DirectInput.alignment == 0 }
        guard isAligned, byteCount > 0, byteCount % DirectInput.alignment == 0, offset % UInt64(DirectInput.alignment) == 0, isOpen,
            holdfast_cached_page_count(file.number, offset, UInt64(byteCount)) < byteCount / DirectInput.alignment
        else { return nil }
        do throws(ReadFailure) { return try file.read(at: offset, into: &bytes) } catch {
            // Blocks of another size, or a file system that promised too much.
            guard error.error.number == EINVAL else { throw error }
            isRefused.store(true, ordering: .relaxed)
            return nil
        }
    }
}

extension FileDescriptor {
    /// Fills `bytes` from `offset` on, past the page cache if that can be; fewer bytes only where the file ends.
    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>, direct: DirectInput?) throws(ReadFailure) -> Int {
        if let count = try direct?.read(at: offset, into: &bytes) { return count }
        return try read(at: offset, into: &bytes)
    }
}
