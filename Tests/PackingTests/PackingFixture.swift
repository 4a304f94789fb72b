import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage
import TestSupport

/// Keys and a storage, and the way of chunks into packs and out again.
struct PackingFixture {
    let storage: any StorageBackend
    let sealer: DocumentSealer
    let dataKeys = DataKeyPair.random()
    let session: SessionDataKey
    let verifier: DocumentVerifier

    init(_ storage: any StorageBackend = MemoryStorage(objects: [:])) {
        self.storage = storage
        let id = RandomID([UInt8](repeating: 4, count: 16))
        let signingKey = SigningKey.random()
        sealer = DocumentSealer(
            keyspace: KeyspaceID(id), repository: RepositoryID(id), member: MemberKeys(memberSecret: .random(byteCount: 32), epoch: 1), slot: SlotID(id),
            signingKey: signingKey)
        session = SessionDataKey(recipient: dataKeys.publicKey)
        let slot = Keyring.Slot(
            id: SlotID(id), publicKey: signingKey.publicKey, role: .backup, capabilities: ["write"], keyDigest: Digest([UInt8](repeating: 0, count: 32)), label: "",
            created: "")
        verifier = DocumentVerifier(
            keyring: Keyring(number: 0, previous: nil, repository: RepositoryID(id), slots: [slot], retired: [], epochs: [1], requiredFeatures: .none))
    }

    func id(_ chunk: [UInt8], _ kind: PackDirectory.Kind = .data) -> ChunkID { unsafe chunk.withUnsafeBytes { unsafe sealer.member.chunkID(kind, $0) } }

    func writer(_ kind: PackDirectory.Kind = .data, closeByteCount: Int? = nil) -> PackWriter {
        PackWriter(kind, sealer: sealer, key: kind == .data ? session.record : nil, storage: storage, closeByteCount: closeByteCount)
    }

    func builder(_ writer: PackWriter, _ kind: PackDirectory.Kind = .data, level: Int? = 2) -> SegmentBuilder {
        SegmentBuilder(kind, sealer: sealer, sessionKey: kind == .data ? session.secret : nil, writer: writer, level: level)
    }

    /// Stores chunks one after another, all as if of one band, and returns the packs.
    func store(_ chunks: [[UInt8]], _ kind: PackDirectory.Kind = .data, level: Int? = 2, closeByteCount: Int? = nil) throws -> [IndexDocument.Pack] {
        let writer = writer(kind, closeByteCount: closeByteCount)
        do {
            let builder = builder(writer, kind, level: level)
            for chunk in chunks { unsafe try chunk.withUnsafeBytes { unsafe try builder.append(id(chunk, kind), $0, band: 0) } }
            try builder.flush()
        } catch {
            try? writer.finish()
            throw error
        }
        try writer.finish()
        return writer.takeConfirmed()
    }

    func index(_ packs: [IndexDocument.Pack]) -> ChunkIndex {
        let index = ChunkIndex()
        for pack in packs { index.add(pack, isCounting: true) }
        return index
    }

    func reader(_ index: ChunkIndex, cacheByteCount: Int = 64 << 20, on storage: (any StorageBackend)? = nil) -> SegmentReader {
        SegmentReader(index: index, storage: storage ?? self.storage, sealer: sealer, dataKeys: dataKeys, cacheByteCount: cacheByteCount)
    }

    func read(_ chunk: ChunkID, _ kind: PackDirectory.Kind = .data, with reader: SegmentReader) throws -> [UInt8] {
        unsafe try reader.withChunk(chunk, kind) { unsafe Array($0) }
    }

    /// The whole of a pack as a check reads it, with and without its digest: all segments in order.
    static func segments(_ file: PackFile, _ info: ObjectInfo, _ id: PackID, _ kind: PackDirectory.Kind, verifiesName: Bool) throws -> [[UInt8]] {
        var found: [[UInt8]] = []
        try file.readAll(info, named: id, kind, verifiesName: verifiesName) { _ in } segment: { _, number, sealed in
            precondition(number == found.count)
            found.append(unsafe Array(sealed.bytes))
        }
        return found
    }

    /// All of them at once, segment by segment.
    func read(_ chunks: [ChunkID], with reader: SegmentReader, backwards: Bool = false) throws -> [[UInt8]] {
        var found = [[UInt8]](repeating: [], count: chunks.count)
        unsafe try reader.withChunks(chunks, .data, backwards: backwards) { number, bytes in found[number] = unsafe Array(bytes) }
        return found
    }

    /// Chunks of noise and of what compresses well.
    static func chunks(_ count: Int, seed: UInt64, byteCounts: ClosedRange<Int> = 1...200_000) -> [[UInt8]] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { number in
            let byteCount = Int.random(in: byteCounts, using: &generator)
            guard number % 2 == 0 else { return generator.bytes(byteCount) }
            let word = generator.bytes(40)
            return (0..<byteCount).map { word[($0 + $0 / 997) % 40] }
        }
    }
}

/// The bytes of an object of a memory storage, changed in one place.
extension MemoryStorage {
    func damage(_ name: ObjectName, at offset: Int) {
        guard var bytes = objects[name] else { preconditionFailure("\(name) is there") }
        bytes[offset] ^= 1
        overwrite(name, with: bytes)
    }
}
