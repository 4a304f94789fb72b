import DiskImages
import ImageFixtures
import Synchronization

/// Does something once, when the first byte is read.
final class HookedImageReader: ImageReader {
    private let reader: MemoryImageReader
    private let hook: Mutex<(@Sendable () -> Void)?>

    init(_ bytes: [UInt8], _ hook: @escaping @Sendable () -> Void) {
        reader = MemoryImageReader(bytes)
        self.hook = Mutex(hook)
    }

    var byteCount: UInt64 { reader.byteCount }

    func extent(at offset: UInt64) throws(ImageError) -> ImageExtent { try reader.extent(at: offset) }

    func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        hook.withLock { $0.take() }?()
        return try reader.read(at: offset, into: &bytes)
    }
}
