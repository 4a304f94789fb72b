import DiskLayout

/// What an inspector writes: requests for ranges of a disk that is served to it, then its answer (Specs/inspection.md).
struct InspectorOutput {
    enum Part: Equatable {
        case request(offset: UInt64, byteCount: UInt64)
        /// What is there so far is no whole request, and may be the answer's beginning.
        case nothing
    }

    private static let requestMagic = Array("HFINREAD".utf8)
    private static let requestByteCount = 24

    /// What is no request; the answer, once there is no more.
    private(set) var bytes: [UInt8] = []
    private var isServed: Bool

    init(isServed: Bool) { self.isServed = isServed }

    mutating func append(_ piece: some Sequence<UInt8>) { bytes += piece }

    /// The request that comes next.
    mutating func next() -> Part {
        guard isServed, bytes.count >= InspectorOutput.requestMagic.count else { return .nothing }
        guard bytes.starts(with: InspectorOutput.requestMagic) else {
            // Nothing is asked for behind the answer's beginning.
            isServed = false
            return .nothing
        }
        guard bytes.count >= InspectorOutput.requestByteCount else { return .nothing }
        func number(at offset: Int) -> UInt64 { bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        let request = Part.request(offset: number(at: 8), byteCount: number(at: 16))
        bytes.removeFirst(InspectorOutput.requestByteCount)
        return request
    }
}
