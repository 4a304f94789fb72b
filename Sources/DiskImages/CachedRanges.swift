import Glibc
import Synchronization

/// Ranges of a file that went through the page cache, so that the cache can be asked to let go of them, and of nothing else.
final class CachedRanges: Sendable {
    /// Beyond, the gaps between them count as well.
    private static let countMax = 4096

    private static let writerCountMax = 64

    private let ranges = Mutex<[Range<UInt64>]>([])

    func add(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        ranges.withLock { ranges in
            // A writer goes on where it was; several of them are few.
            if let index = ranges.suffix(CachedRanges.writerCountMax).lastIndex(where: { $0.upperBound == range.lowerBound }) {
                ranges[index] = ranges[index].lowerBound..<range.upperBound
                return
            }
            ranges.append(range)
            guard ranges.count > CachedRanges.countMax, let start = ranges.map(\.lowerBound).min(), let end = ranges.map(\.upperBound).max() else { return }
            ranges = [start..<end]
        }
    }

    /// To be called when what was written is durable: what is not, the kernel keeps.
    func drop(from file: borrowing FileDescriptor) {
        for range in ranges.withLock({ $0 }) {
            _ = posix_fadvise(file.number, off_t(range.lowerBound), off_t(range.upperBound - range.lowerBound), POSIX_FADV_DONTNEED)
        }
    }
}
