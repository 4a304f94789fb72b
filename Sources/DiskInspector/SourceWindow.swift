import CInspectorSandbox
import Glibc

/// A range of the source, read by offsets from its start.
struct SourceWindow {
    private let base: UInt64
    let byteCount: UInt64

    /// No structure is larger that is read at once.
    static let readByteCountMax = 16 << 20

    /// All of it.
    init(byteCount: UInt64) {
        base = 0
        self.byteCount = byteCount
    }

    private init(base: UInt64, byteCount: UInt64) {
        self.base = base
        self.byteCount = byteCount
    }

    /// - Precondition: the range lies in this window.
    func part(_ range: Range<UInt64>) -> SourceWindow {
        precondition(range.upperBound <= byteCount, "a part lies within")
        return SourceWindow(base: base + range.lowerBound, byteCount: range.upperBound - range.lowerBound)
    }

    /// Where the window stands in the source; what C libraries are told.
    var place: (descriptor: Int32, offset: UInt64, byteCount: UInt64) { (Sandbox.source, base, byteCount) }

    /// Exactly `byteCount` bytes from `offset` on.
    func read(at offset: UInt64, byteCount: Int) throws(InspectionFailure) -> Record {
        guard byteCount >= 0, byteCount <= SourceWindow.readByteCountMax, offset <= self.byteCount, UInt64(byteCount) <= self.byteCount - offset else {
            throw .unreadable(offset: offset)
        }
        var done = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { memory, count in
            while done < byteCount {
                let result = unsafe holdfast_source_read(memory.baseAddress! + done, byteCount - done, Int(base + offset) + done)
                if result < 0 && errno == EINTR { continue }
                guard result > 0 else { break }
                done += result
            }
            count = done
        }
        guard done == byteCount else { throw .unreadable(offset: offset + UInt64(done)) }
        return Record(bytes)
    }
}
