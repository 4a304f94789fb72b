public import DiskImages
import Synchronization

/// A restore target held in memory, which notes how it was used and may run full.
public final class MemoryImageWriter: ImageWriter {
    private struct State {
        var contents: [UInt8]
        var position: UInt64 = 0
        var writtenByteCount: UInt64 = 0
        var writtenRanges: [Range<UInt64>] = []
        var zeroedByteCount: UInt64 = 0
        var readByteCount: UInt64 = 0
        var isFinished = false
    }

    public let isOrdered: Bool
    public let isBlank: Bool
    private let byteCapacity: UInt64
    private let fullAfterByteCount: UInt64
    private let state: Mutex<State>

    /// - Parameters:
    ///   - contents: what the target held before; with something in it, it is not blank.
    ///   - byteCapacity: `prepare` throws `.tooSmall` for more.
    ///   - fullAfterByteCount: `write` throws `.full` once this much was written.
    public init(
        isOrdered: Bool = false, contents: [UInt8] = [], byteCapacity: UInt64 = .max, fullAfterByteCount: UInt64 = .max
    ) {
        self.isOrdered = isOrdered
        isBlank = !isOrdered && contents.isEmpty
        self.byteCapacity = byteCapacity
        self.fullAfterByteCount = fullAfterByteCount
        state = Mutex(State(contents: contents))
    }

    public var contents: [UInt8] { state.withLock { $0.contents } }
    public var isFinished: Bool { state.withLock { $0.isFinished } }
    /// Bytes given to `write`, and those given to `writeZeros`.
    public var counters: (written: UInt64, zeroed: UInt64) { state.withLock { ($0.writtenByteCount, $0.zeroedByteCount) } }

    public func prepare(byteCount: UInt64) throws(ImageError) {
        guard byteCount <= byteCapacity else { throw .tooSmall(path: "memory", byteCount: byteCapacity, needed: byteCount) }
        if isOrdered { return }
        state.withLock { state in
            let missing = Int(byteCount) - state.contents.count
            if missing >= 0 {
                state.contents += [UInt8](repeating: 0, count: missing)
            } else {
                state.contents.removeLast(-missing)
            }
        }
    }

    public func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(ImageError) {
        // Copied out, because a span does not enter a closure.
        let copy = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
        try state.withLock { (state) throws(ImageError) in
            try store(copy, at: offset, &state)
            state.writtenByteCount += UInt64(copy.count)
            state.writtenRanges.append(offset..<offset + UInt64(copy.count))
        }
    }

    /// Of each `write`.
    public var writtenRanges: [Range<UInt64>] { state.withLock { $0.writtenRanges } }

    public func writeZeros(at offset: UInt64, byteCount: UInt64) throws(ImageError) {
        try state.withLock { (state) throws(ImageError) in
            try store([UInt8](repeating: 0, count: Int(byteCount)), at: offset, &state)
            state.zeroedByteCount += byteCount
        }
    }

    private func store(_ bytes: [UInt8], at offset: UInt64, _ state: inout State) throws(ImageError) {
        guard state.writtenByteCount + UInt64(bytes.count) <= fullAfterByteCount else { throw .full(path: "memory") }
        if isOrdered {
            precondition(offset == state.position, "a stream is written in order")
            state.position += UInt64(bytes.count)
            state.contents += bytes
        } else {
            precondition(Int(offset) + bytes.count <= state.contents.count, "within the image")
            state.contents.replaceSubrange(Int(offset)..<Int(offset) + bytes.count, with: bytes)
        }
    }

    /// Bytes that were read from it.
    public var readByteCount: UInt64 { state.withLock { $0.readByteCount } }

    public func read(at offset: UInt64, into bytes: inout MutableSpan<UInt8>) throws(ImageError) -> Int {
        let contents = contents
        let byteCount = min(bytes.count, max(0, contents.count - Int(offset)))
        state.withLock { $0.readByteCount += UInt64(byteCount) }
        for index in 0..<byteCount { bytes[index] = contents[Int(offset) + index] }
        return byteCount
    }

    public func finish() throws(ImageError) { state.withLock { $0.isFinished = true } }
}
