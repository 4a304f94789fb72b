import Bytes
import Packing
import RepositoryFormat

/// Puts a band's bytes together from its map.
struct BandAssembler: Sendable {
    let reader: SegmentReader
    /// Where this many times as much is held as is needed, what lies beside the needed chunks is most likely held as well.
    private static let sparseRatio = 3

    /// Writes the entry's bytes, from `start` within it on, to `target`. Kinds other than data give zeros.
    ///
    /// A chunk that is damaged or missing throws; `target` then holds nothing that may be used.
    func copy(_ entry: MapEntry, from start: Int, to target: UnsafeMutableRawBufferPointer) throws(RepositoryError) {
        guard entry.kind == .data else {
            unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
            return
        }
        let offset = Int(entry.chunkOffset) + start
        let isInside = try packing { () throws(PackingError) -> Bool in
            try unsafe reader.withChunk(entry.chunk, .data) { bytes in
                guard offset + target.count <= bytes.count else { return false }
                unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + target.count]))
                return true
            }
        }
        guard isInside else { throw BandAssembler.tooShort(entry.chunk) }
    }

    /// Fills `buffer` with the data of a band; the rest of the buffer is left as it is.
    ///
    /// - Parameters:
    ///   - band: its number; neighbours are assembled in opposite directions through their segments.
    ///   - held: numbers of entries whose bytes are not needed.
    ///   - before: called with an entry's number, its place in the buffer, and the bytes that are about to be put there.
    func assemble(
        _ map: BandMap, band: UInt64, into buffer: AlignedBuffer, held: Set<Int> = [], before: (Int, Range<Int>, UnsafeRawBufferPointer) -> Void = { _, _, _ in }
    ) throws(RepositoryError) {
        var parts: [(number: Int, range: Range<Int>, chunkOffset: Int)] = []
        var chunks: [ChunkID] = []
        var position = 0
        var (neededByteCount, heldByteCount) = (0, 0)
        for (number, entry) in map.entries.enumerated() {
            let range = position..<position + Int(entry.byteCount)
            position = range.upperBound
            guard entry.kind == .data else { continue }
            if held.contains(number) {
                heldByteCount += range.count
                continue
            }
            neededByteCount += range.count
            parts.append((number, range, Int(entry.chunkOffset)))
            chunks.append(entry.chunk)
        }
        var tooShort: ChunkID?
        try packing { () throws(PackingError) in
            try unsafe reader.withChunks(chunks, .data, backwards: band % 2 == 1, isSparse: heldByteCount >= BandAssembler.sparseRatio * neededByteCount) { number, bytes in
                let (entry, range, offset) = parts[number]
                guard offset + range.count <= bytes.count else { return tooShort = chunks[number] }
                let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + range.count])
                unsafe before(entry, range, part)
                unsafe buffer.copy(part, at: range.lowerBound)
            }
        }
        if let tooShort { throw BandAssembler.tooShort(tooShort) }
    }

    private static func tooShort(_ chunk: ChunkID) -> RepositoryError { .damaged(object: "chunk \(chunk)", reason: "it is shorter than the map says") }
}
