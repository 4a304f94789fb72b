import Bytes
import Synchronization
import Threading

/// An export of an NBD server, as QEMU has them for the disks of its machines.
///
/// It should not change while it is read: an export of a snapshot, or of a disk that nobody writes to (Specs/guides/changed-blocks.md).
public final class NBDImageReader: ImageReader {
    /// At once: as many as a few reading threads use.
    private static let connectionCountMax = 4
    /// Asked for at once: the protocol counts bytes in 32 bits.
    private static let statusByteCount: UInt64 = 1 << 30

    public let byteCount: UInt64
    public let identity: SourceIdentity
    private let connections: Pool<NBDConnection>
    private let tellsExtents: Bool
    /// What was told last, from where on.
    private let extents = Mutex(ExtentWindow())

    private struct ExtentWindow {
        var start: UInt64 = 0
        var extents: [ImageExtent] = []
    }

    /// Whether a source's name is that of an export: `nbd://HOST[:PORT]/EXPORT` or `nbd+unix:///EXPORT?socket=PATH`.
    public static func isName(_ text: String) -> Bool { text.hasPrefix("nbd://") || text.hasPrefix("nbd+unix://") }

    /// What a dirty bitmap says: everything it does not name is the same as when it began. Nil if the server has none of that name.
    public let changes: ChangeMap?
    /// As the server knows it.
    public let exportName: String

    /// - Parameters:
    ///   - uri: as `isName` has it.
    ///   - dirtyBitmap: the name of a bitmap that QEMU exports with the disk.
    /// - Throws: `.unsuitable` where libnbd is not installed, `.failed` if the server cannot be reached or has no such export.
    public init(uri: String, dirtyBitmap: String? = nil) throws(ImageError) {
        let context = dirtyBitmap.map { "qemu:dirty-bitmap:\($0)" }
        let first = try NBDConnection(uri, context: context)
        exportName = first.exportName
        changes = try context.flatMap { context throws(ImageError) in try NBDImageReader.changes(first, context) }
        byteCount = first.byteCount
        identity = SourceIdentity(kind: .nbd, imageName: uri, path: uri)
        tellsExtents = first.knows(NBDConnection.allocation)
        connections = Pool([first] + NBDImageReader.more(like: first, uri))
    }

    /// A server may say that it allows more connections and have no room for them.
    private static func more(like first: NBDConnection, _ uri: String) -> [NBDConnection] {
        guard first.allowsMore else { return [] }
        var connections: [NBDConnection] = []
        do throws(ImageError) {
            for _ in 1..<connectionCountMax {
                let connection = try NBDConnection(uri, isOptional: true)
                guard connection.byteCount == first.byteCount else { break }
                connections.append(connection)
            }
        } catch {
            // Those there are must do.
        }
        return connections
    }

    private static func changes(_ connection: NBDConnection, _ context: String) throws(ImageError) -> ChangeMap? {
        guard connection.knows(context) else { return nil }
        var map = ChangeMap()
        while map.byteCount < connection.byteCount {
            let asked = min(statusByteCount, connection.byteCount - map.byteCount)
            // NBD_STATE_DIRTY
            for (byteCount, flags) in try connection.blockStatus(context, at: map.byteCount, byteCount: asked) { map.append(flags & 1 != 0 ? .data : .same, byteCount: byteCount) }
        }
        return map
    }

    public func extent(at offset: UInt64) throws(ImageError) -> ImageExtent {
        precondition(offset < byteCount, "within the image")
        guard tellsExtents else { return ImageExtent(kind: .data, end: byteCount) }
        return try extents.withLock { (window) throws(ImageError) -> ImageExtent in
            if offset < window.start || offset >= window.extents.last?.end ?? 0 { window = try fetchExtents(at: offset) }
            // The answer reaches beyond the offset.
            return window.extents[window.extents.partitionPoint { $0.end > offset }]
        }
    }

    private func fetchExtents(at offset: UInt64) throws(ImageError) -> ExtentWindow {
        let connection = connections.take()
        defer { connections.giveBack(connection) }
        // From an aligned place on.
        let start = offset / connection.blockByteCount * connection.blockByteCount
        let asked = min(NBDImageReader.statusByteCount, byteCount - start)
        let answer: [(byteCount: UInt64, flags: UInt32)]
        do throws(ImageError) { answer = try connection.blockStatus(NBDConnection.allocation, at: start, byteCount: asked) } catch {
            if case .incomplete = error { throw error }
            // What a server cannot tell, reading shows.
            answer = [(asked, 0)]
        }
        var window = ExtentWindow(start: start)
        var end = start
        for (byteCount, flags) in answer {
            end += byteCount
            // NBD_STATE_ZERO; a hole alone may hold anything.
            let kind: ImageExtent.Kind = flags & 2 != 0 ? .zero : .data
            if let last = window.extents.last, last.kind == kind { window.extents.removeLast() }
            window.extents.append(ImageExtent(kind: kind, end: end))
        }
        guard end > offset else { throw .incomplete(source: identity.path, reason: "the server's extents are not in whole blocks") }
        return window
    }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        precondition(offset <= byteCount && UInt64(bytes.count) <= byteCount - offset, "within the image")
        let connection = connections.take()
        defer { connections.giveBack(connection) }
        return try unsafe bytes.withUnsafeMutableBytes { (memory) throws(ImageError) -> Int in
            let block = connection.blockByteCount
            let start = offset / block * block
            let end = min((offset + UInt64(memory.count) + block - 1) / block * block, byteCount)
            if end - start == UInt64(memory.count) {
                unsafe try NBDImageReader.read(connection, at: offset, memory)
            } else {
                let whole = AlignedBuffer(byteCapacity: Int(end - start))
                unsafe try NBDImageReader.read(connection, at: start, UnsafeMutableRawBufferPointer(start: whole.base, count: Int(end - start)))
                unsafe memory.copyMemory(from: UnsafeRawBufferPointer(start: whole.base + Int(offset - start), count: memory.count))
            }
            return memory.count
        }
    }

    private static func read(_ connection: NBDConnection, at offset: UInt64, _ memory: UnsafeMutableRawBufferPointer) throws(ImageError) {
        let step = connection.readByteCountMax / Int(connection.blockByteCount) * Int(connection.blockByteCount)
        var done = 0
        while done < memory.count {
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[done..<min(done + step, memory.count)])
            unsafe try connection.read(at: offset + UInt64(done), into: piece)
            done += piece.count
        }
    }
}
