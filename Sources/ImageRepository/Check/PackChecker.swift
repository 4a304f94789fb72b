import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage
import Threading

/// Reads a whole pack and verifies every byte of it: directory, digests, every segment, every chunk id, and what is around them; and of its chunks the parts that maps refer to.
///
/// The digest that is the pack's name is computed only where the index does not tell which directory belongs to the name: the same bytes are all authenticated
/// otherwise, and it would take a fifth of the time.
struct PackChecker: Sendable {
    private let repository: Repository
    private let packs: PackFile
    private let opener: SegmentOpener
    private let index: ChunkIndex
    private let references: PartReferences
    private let compared: Monitor<ComparedParts>

    init(_ repository: Repository, _ index: ChunkIndex, _ references: PartReferences = PartReferences(), _ compared: Monitor<ComparedParts> = Monitor(ComparedParts())) {
        self.repository = repository
        self.index = index
        self.references = references
        self.compared = compared
        packs = PackFile(storage: repository.storage, sealer: repository.sealer, verifier: repository.verifier)
        opener = SegmentOpener(repository.sealer, repository.dataKeys)
    }

    /// What is wrong with the pack; nil if nothing is, or if it was deleted meanwhile.
    ///
    /// - Throws: `.storage` for a fault that says nothing about the pack.
    func problem(_ info: ObjectInfo, _ id: PackID) throws(RepositoryError) -> String? {
        do throws(PackingError) {
            let kind: PackDirectory.Kind = info.name.kind == .packs ? .data : .map
            try packs.readAll(info, named: id, kind, verifiesName: index.ordinal(id) == nil) { directory throws(PackingError) in
                if let difference = difference(id, directory) { throw .damaged(object: info.name.path, reason: difference) }
                return (directory, PackRecord(id: id, directory: directory, isCounting: true))
            } segment: { pack, number, sealed throws(PackingError) in
                let (directory, record) = pack
                try check(directory.segments[number], number, sealed, record)
            }
            return nil
        } catch {
            switch error {
            case .storage(.notFound): return nil
            case .storage(.unavailable): throw RepositoryError(error)
            default: return RepositoryError(error).reason
            }
        }
    }

    /// Opening overwrites `sealed`.
    private func check(
        _ segment: PackDirectory.Segment, _ number: Int, _ sealed: SealedSegment, _ record: PackRecord
    ) throws(PackingError) {
        let digest = unsafe repository.sealer.member.segmentDigest(UnsafeRawBufferPointer(sealed.bytes))
        guard digest == segment.digest else { throw .damaged(object: record.name.path, reason: "segment \(number): its digest does not fit") }
        // Who cannot open data knows at least that it is what its writer signed.
        guard record.kind == .map || repository.dataKeys != nil else { return }
        let decoded = try opener.open(sealed, record, number)
        defer { withExtendedLifetime(decoded) {} }
        var end = 0
        let ranges = segment.chunks.map { chunk in
            end += Int(chunk.byteCount)
            return end - Int(chunk.byteCount)..<end
        }
        let ids = unsafe repository.sealer.member.chunkIDs(record.kind, ranges, in: decoded.bytes)
        for (chunk, id) in zip(segment.chunks, ids) where id != chunk.id {
            throw .damaged(object: record.name.path, reason: "segment \(number): chunk \(chunk.id) is not the one its id names")
        }
        if record.kind == .data { unsafe compareParts(segment.chunks, ranges, decoded.bytes) }
    }

    /// A wrong reference says nothing about the pack.
    private func compareParts(_ chunks: [PackDirectory.Chunk], _ ranges: [Range<Int>], _ bytes: UnsafeRawBufferPointer) {
        var found = ComparedParts()
        for (chunk, range) in zip(chunks, ranges) {
            let (wrong, count) = unsafe references.wrongParts(of: chunk.id, UnsafeRawBufferPointer(rebasing: bytes[range]), repository.sealer.member)
            found.count += count
            found.wrong.formUnion(wrong)
        }
        if found.count > 0 { compared.withLock { $0.add(found) } }
    }

    /// The index must say what the pack itself says.
    private func difference(_ id: PackID, _ directory: PackDirectory) -> String? {
        guard let ordinal = index.ordinal(id) else { return nil }
        guard index.pack(ordinal).describes(directory) else { return "the index describes it otherwise than its directory" }
        for (number, segment) in directory.segments.enumerated() {
            var offset: UInt32 = 0
            for chunk in segment.chunks {
                let location = ChunkLocation(pack: ordinal, segment: UInt32(number), offset: offset, byteCount: chunk.byteCount)
                guard index.locations(chunk.id).contains(location) else { return "the index does not know where its chunk \(chunk.id) is" }
                offset += chunk.byteCount
            }
        }
        return nil
    }
}
