/// The clusters of exFAT, and the table that chains them.
final class ExFATHeap {
    private static let pieceByteCount: UInt64 = 65536

    let volume: SourceWindow
    let clusterCount: UInt64
    let clusterByteCount: UInt64
    private let tableOffset: UInt64
    private let heapOffset: UInt64
    /// Of the table, what was read last; neighbours are mostly asked for one after another.
    private var piece: (offset: UInt64, record: Record)?

    init(_ volume: SourceWindow, tableOffset: UInt64, heapOffset: UInt64, clusterCount: UInt64, clusterByteCount: UInt64) {
        self.volume = volume
        self.tableOffset = tableOffset
        self.heapOffset = heapOffset
        self.clusterCount = clusterCount
        self.clusterByteCount = clusterByteCount
    }

    func offset(of cluster: UInt32) -> UInt64 { heapOffset + UInt64(cluster - 2) * clusterByteCount }

    /// - Precondition: the cluster exists.
    func next(_ cluster: UInt32) throws(InspectionFailure) -> UInt32 {
        let at = 4 * UInt64(cluster)
        let offset = at / ExFATHeap.pieceByteCount * ExFATHeap.pieceByteCount
        if let piece, piece.offset == offset { return try piece.record.little32(Int(at - offset)) }
        let record = try volume.read(at: tableOffset + offset, byteCount: Int(min(ExFATHeap.pieceByteCount, 4 * (clusterCount + 2) - offset)))
        piece = (offset, record)
        return try record.little32(Int(at - offset))
    }
}
