import CNBD
import Glibc

/// A connection to an export of an NBD server. One thread at a time uses it; that is what makes it `Sendable`.
@safe
final class NBDConnection: @unchecked Sendable {
    static let allocation = "base:allocation"
    /// How long a server may take for an answer; a disk behind it may have to wake up.
    private static let patienceMilliseconds: Int32 = 120_000
    /// For making a connection without which one can do.
    private static let shortPatienceMilliseconds: Int32 = 3000

    private let uri: String
    private let connection: OpaquePointer
    let byteCount: UInt64
    /// Offsets and byte counts of reads are multiples of it, except at the export's end.
    let blockByteCount: UInt64
    let readByteCountMax: Int
    /// Whether more connections may be made that see the same bytes.
    let allowsMore: Bool
    let exportName: String

    /// - Parameters:
    ///   - context: of metadata that will be asked for besides `base:allocation`.
    ///   - isOptional: whether the attempt is given up soon.
    /// - Throws: `.unsuitable` where libnbd is not installed, `.failed` if the server cannot be reached or refuses.
    init(_ uri: String, context: String? = nil, isOptional: Bool = false) throws(ImageError) {
        guard holdfast_nbd_load() == 0 else { throw .unsuitable(path: uri, reason: "sources of NBD servers need libnbd, version 1.4 or later (Debian: libnbd0)") }
        let patience = isOptional ? NBDConnection.shortPatienceMilliseconds : NBDConnection.patienceMilliseconds
        guard let made = unsafe holdfast_nbd_connect(uri, NBDConnection.allocation, context, patience, NBDConnection.patienceMilliseconds) else { throw .failed(path: uri, operation: "connect", reason: NBDConnection.reason) }
        unsafe connection = made
        self.uri = uri
        let size = unsafe holdfast_nbd_byte_count(made)
        byteCount = UInt64(max(0, size))
        blockByteCount = UInt64(unsafe holdfast_nbd_minimum_block(made))
        readByteCountMax = Int(unsafe holdfast_nbd_maximum_block(made))
        allowsMore = unsafe holdfast_nbd_shares(made) != 0
        let name = unsafe holdfast_nbd_export_name(made)
        exportName = unsafe name.map { unsafe String(cString: $0) } ?? ""
        unsafe free(name)
        guard size >= 0 else { throw .failed(path: uri, operation: "asking for its size", reason: NBDConnection.reason) }
    }

    deinit { unsafe holdfast_nbd_close(connection) }

    /// - Precondition: the range is aligned, within the export, and not longer than the longest read.
    func read(at offset: UInt64, into memory: UnsafeMutableRawBufferPointer) throws(ImageError) {
        let result = unsafe holdfast_nbd_read(connection, memory.baseAddress, memory.count, offset)
        try check(Int(result), at: offset, "read")
    }

    /// Whether the server tells of it.
    func knows(_ context: String) -> Bool { unsafe holdfast_nbd_has_context(connection, context) != 0 }

    /// Lengths and flags of what lies from `offset` on, as far as the server likes to tell in one answer: at least one, and not beyond what was asked for.
    ///
    /// - Precondition: the server knows the context.
    func blockStatus(_ context: String, at offset: UInt64, byteCount: UInt64) throws(ImageError) -> [(byteCount: UInt64, flags: UInt32)] {
        // As many as QEMU sends at most.
        let capacity = 1 << 17
        var pairCount = 0
        var failure: Int32 = 0
        let pairs = unsafe [UInt32](unsafeUninitializedCapacity: 2 * capacity) { memory, count in
            failure = unsafe holdfast_nbd_block_status(connection, context, offset, byteCount, memory.baseAddress, capacity, &pairCount)
            count = 2 * pairCount
        }
        try check(Int(failure), at: offset, "asking for its extents")
        var left = byteCount
        var extents: [(byteCount: UInt64, flags: UInt32)] = []
        for pair in 0..<pairCount where left > 0 {
            let length = min(UInt64(pairs[2 * pair]), left)
            if length > 0 { extents.append((length, pairs[2 * pair + 1])) }
            left -= length
        }
        guard !extents.isEmpty else { throw .incomplete(source: uri, reason: "the server tells nothing of its extents from byte \(offset) on, though it said it would") }
        return extents
    }

    private static var reason: String { unsafe String(cString: holdfast_nbd_reason()) }

    private func check(_ result: Int, at offset: UInt64, _ operation: String) throws(ImageError) {
        switch result {
        case HOLDFAST_NBD_DONE: return
        case HOLDFAST_NBD_UNREADABLE: throw .unreadable(path: uri, offset: offset, reason: NBDConnection.reason)
        case HOLDFAST_NBD_REFUSED: throw .failed(path: uri, operation: "\(operation) at byte \(offset)", reason: NBDConnection.reason)
        // Whoever connects again may meet another state of the disk, so nobody does.
        default: throw .incomplete(source: uri, reason: "the connection to the NBD server was lost at byte \(offset) (\(NBDConnection.reason))")
        }
    }
}
