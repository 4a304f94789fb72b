import CLinux
import Glibc

/// Lets an inspector read a source that has no descriptor: what it asks for is put into a file in memory beforehand, which it has in the disk's place.
///
/// The file is as long as the disk and holds a bounded part of it; each read is asked for, so what was given up comes back.
final class ServedDisk {
    /// What is asked for at once: as much as an inspector reads.
    private static let requestByteCountMax: UInt64 = 16 << 20
    /// The structures of file systems lie beside each other.
    private static let windowByteCount: UInt64 = 64 << 10
    private static let heldWindowCountMax = 1024
    /// What is fetched at once.
    private static let runWindowCountMax: UInt64 = 16

    let file: FileDescriptor
    /// What is said to the inspector.
    let replies: Pipe
    private let image: any ImageReader
    /// Numbers of the windows that the file has.
    private var held: Set<UInt64> = []

    init(_ image: any ImageReader) throws(SystemError) {
        let number = unsafe holdfast_memory_file("holdfast-disk", image.byteCount)
        guard number >= 0 else { throw .last }
        file = FileDescriptor(taking: number)
        replies = try Pipe()
        self.image = image
    }

    /// Sees to it that the file has a range, and tells the inspector whether it has.
    func serve(offset: UInt64, byteCount: UInt64) {
        let reply: UInt8 = provide(offset, byteCount) ? 0 : 1
        // An inspector that has ended meanwhile is seen to have by whoever reads what it says.
        _ = BrokenPipe.withoutSignal { unsafe withUnsafeBytes(of: reply) { byte in unsafe write(replies.input.number, byte.baseAddress, 1) } }
    }

    private func provide(_ offset: UInt64, _ byteCount: UInt64) -> Bool {
        guard byteCount <= ServedDisk.requestByteCountMax, offset <= image.byteCount else { return false }
        // Libraries read in units of their own, also beyond the end.
        let end = min(offset + byteCount, image.byteCount)
        guard end > offset else { return true }
        let windows = offset / ServedDisk.windowByteCount..<(end - 1) / ServedDisk.windowByteCount + 1
        do throws(SystemError) {
            if held.count + windows.count > ServedDisk.heldWindowCountMax { try forget() }
            var next = windows.lowerBound
            while next < windows.upperBound {
                let start = next
                while next < min(windows.upperBound, start + ServedDisk.runWindowCountMax), !held.contains(next) { next += 1 }
                if next > start { try fill(start..<next) } else { next += 1 }
            }
            return true
        } catch {
            return false
        }
    }

    private func forget() throws(SystemError) {
        guard holdfast_punch_hole(file.number, 0, image.byteCount) == 0 else { throw .last }
        held = []
    }

    private func fill(_ windows: Range<UInt64>) throws(SystemError) {
        let start = windows.lowerBound * ServedDisk.windowByteCount
        var bytes = [UInt8](repeating: 0, count: Int(min(windows.upperBound * ServedDisk.windowByteCount, image.byteCount) - start))
        var span = bytes.mutableSpan
        let isWhole: Bool
        do throws(ImageError) { isWhole = try image.read(at: start, into: &span) == span.count } catch { throw SystemError(number: EIO) }
        guard isWhole else { throw SystemError(number: EIO) }
        try file.write(bytes.span, at: start)
        held.formUnion(windows)
    }
}
