import Bytes
import CLinux
import Glibc

extension FileDescriptor {
    /// The largest piece that is worth a direct read: what the page cache asks a device for at once.
    static var directByteCountMax: Int { 4096 }

    /// Reads at most `directByteCountMax` bytes of a device past the page cache.
    ///
    /// The cache fetches whole pages, and one bad sector of 512 bytes makes the seven good ones around it fail. Offset and count must be
    /// multiples of the device's logical sector.
    func readDirectly(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ReadFailure) -> Int {
        precondition(bytes.count <= FileDescriptor.directByteCountMax, "a small piece")
        let direct = try reopenedDirectly(at: offset)
        let aligned = AlignedBuffer(byteCapacity: FileDescriptor.directByteCountMax)
        let done = try aligned.withMutableBytes(in: 0..<bytes.count) { (memory) throws(ReadFailure) -> Int in
            try direct.read(at: offset, into: &memory)
        }
        aligned.withBytes(byteCount: done) { memory in
            for index in memory.indices { bytes[index] = memory[index] }
        }
        return done
    }

    /// A second opening of the same device, whatever its name stands for by now.
    private func reopenedDirectly(at offset: UInt64) throws(ReadFailure) -> FileDescriptor {
        do throws(SystemError) {
            return try FileDescriptor(opening: "/proc/self/fd/\(number)", flags: O_RDONLY | holdfast_o_direct)
        } catch {
            throw ReadFailure(offset: offset, error: error)
        }
    }
}
