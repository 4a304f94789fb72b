import Bytes
import CLinux
import Glibc
import RepositoryFormat
import Sealing

/// Writes a run file: under a name of its own first, renamed when it is complete and durable.
struct IndexRunWriter {
    /// Written at once.
    private static let pieceByteCount = 1 << 20

    private let path: String
    private let descriptor: CInt
    private var piece: [UInt8] = []
    private var prefixBitCount = 0
    /// How many entries have each prefix, and 0.
    private var prefixCounts: [UInt32] = []

    /// Writes the packs of documents that no run holds yet.
    static func write(_ documents: [(id: IndexID, document: IndexDocument)], to path: String) throws(LocalIndexError) {
        var entries: [IndexEntry] = []
        var records: [PackRecord] = []
        var known: Set<PackID> = []
        for pack in documents.flatMap(\.document.packs) where known.insert(pack.id).inserted {
            for (segment, record) in pack.directory.segments.enumerated() {
                var offset: UInt32 = 0
                for chunk in record.chunks {
                    let location = ChunkLocation(pack: UInt32(records.count), segment: UInt32(segment), offset: offset, byteCount: chunk.byteCount)
                    entries.append(IndexEntry(low: chunk.id.digest.words.0, high: chunk.id.digest.words.1, location: location))
                    offset += chunk.byteCount
                }
            }
            records.append(PackRecord(id: pack.id, directory: pack.directory, isCounting: true))
        }
        entries.sort(by: IndexEntry.precedes)
        var writer = try IndexRunWriter(path)
        try writer.finishing { writer throws(LocalIndexError) in
            try writer.writeHeader(entryCount: entries.count, packCount: records.count, coveredCount: documents.count, recordByteCount: records.reduce(0) { $0 + $1.encoded.count })
            for entry in entries { try writer.write(entry, packOffset: 0) }
            try writer.writeTail(covered: documents.map(\.id), records: records.map(\.encoded))
        }
    }

    /// Joins two runs into one, reading both in order; memory does not depend on their size, but for the pack records.
    static func merge(_ first: IndexRun, _ second: IndexRun, to path: String) throws(LocalIndexError) {
        var records: [[UInt8]] = []
        for run in [first, second] {
            for ordinal in 0..<run.packCount {
                do throws(DecodingError) { records.append(try run.packRecord(ordinal, isCounting: true).encoded) } catch { throw LocalIndexError(path: run.path, reason: "\(error)") }
            }
        }
        let covered = Array(first.covered.union(second.covered))
        var writer = try IndexRunWriter(path)
        try writer.finishing { writer throws(LocalIndexError) in
            try writer.writeHeader(
                entryCount: first.entryCount + second.entryCount, packCount: records.count, coveredCount: covered.count,
                recordByteCount: records.reduce(0) { $0 + $1.count })
            var (left, right) = (0, 0)
            while left < first.entryCount || right < second.entryCount {
                let takesLeft = right == second.entryCount || (left < first.entryCount && !IndexEntry.precedes(second.entry(right), first.entry(left)))
                if takesLeft {
                    try writer.write(first.entry(left), packOffset: 0)
                    left += 1
                } else {
                    try writer.write(second.entry(right), packOffset: UInt32(first.packCount))
                    right += 1
                }
            }
            try writer.writeTail(covered: covered, records: records)
        }
    }

    private init(_ path: String) throws(LocalIndexError) {
        self.path = path
        descriptor = unsafe holdfast_open("\(path).new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw LocalIndexError(path: path) }
    }

    /// Runs `body`, then puts the checksum in place, makes the file durable and gives it its name; removes it on any failure.
    private mutating func finishing(_ body: (inout IndexRunWriter) throws(LocalIndexError) -> Void) throws(LocalIndexError) {
        defer { close(descriptor) }
        do throws(LocalIndexError) {
            try body(&self)
            try flush()
            try writeChecksum()
            guard fsync(descriptor) == 0, unsafe rename("\(path).new", path) == 0 else { throw LocalIndexError(path: path) }
        } catch {
            unsafe unlink("\(path).new")
            throw error
        }
    }

    private mutating func writeHeader(entryCount: Int, packCount: Int, coveredCount: Int, recordByteCount: Int) throws(LocalIndexError) {
        prefixBitCount = IndexRun.prefixBitCount(entryCount: entryCount)
        prefixCounts = [UInt32](repeating: 0, count: IndexRun.prefixStartCount(prefixBitCount))
        var header = ByteWriter(reservingByteCount: IndexRun.headerByteCount)
        header.write(IndexRun.magic)
        header.write(UInt64(0))
        header.write(UInt64(entryCount))
        header.write(UInt32(packCount))
        header.write(UInt32(coveredCount))
        header.write(UInt64(recordByteCount))
        header.write([UInt8](repeating: 0, count: 24))
        try write(header.bytes)
    }

    private mutating func write(_ entry: IndexEntry, packOffset: UInt32) throws(LocalIndexError) {
        prefixCounts[IndexRun.prefix(entry.low, prefixBitCount)] += 1
        var moved = entry
        moved.location.pack += packOffset
        unsafe withUnsafeBytes(of: &moved) { unsafe piece.append(contentsOf: $0) }
        if piece.count >= IndexRunWriter.pieceByteCount { try flush() }
    }

    private mutating func writeTail(covered: [IndexID], records: [[UInt8]]) throws(LocalIndexError) {
        var starts = ByteWriter(reservingByteCount: prefixCounts.count * 4)
        var start: UInt32 = 0
        for count in prefixCounts {
            starts.write(start)
            start += count
        }
        try write(starts.bytes)
        for id in covered { try write(id.digest.bytes) }
        var offsets = ByteWriter(reservingByteCount: records.count * 8)
        var offset: UInt64 = 0
        for record in records {
            offsets.write(offset)
            offset += UInt64(record.count)
        }
        try write(offsets.bytes)
        for record in records { try write(record) }
    }

    private mutating func write(_ bytes: [UInt8]) throws(LocalIndexError) {
        piece.append(contentsOf: bytes)
        if piece.count >= IndexRunWriter.pieceByteCount { try flush() }
    }

    private mutating func flush() throws(LocalIndexError) {
        var written = 0
        while written < piece.count {
            let count = unsafe piece.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress! + written, piece.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw LocalIndexError(path: path) }
            written += count
        }
        piece.removeAll(keepingCapacity: true)
    }

    private func writeChecksum() throws(LocalIndexError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw LocalIndexError(path: path) }
        let byteCount = Int(status.st_size)
        guard let mapping = unsafe mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0), unsafe mapping != MAP_FAILED else { throw LocalIndexError(path: path) }
        defer { unsafe munmap(mapping, byteCount) }
        var checksum = unsafe Checksum.of(UnsafeRawBufferPointer(start: mapping + 16, count: byteCount - 16)).littleEndian
        guard unsafe pwrite(descriptor, &checksum, 8, 8) == 8 else { throw LocalIndexError(path: path) }
    }
}
