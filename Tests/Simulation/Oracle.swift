import Bytes
import ImageRepository
import Packing
import RepositoryFormat
import Sealing
import Storage

/// Knows after every effect on the storage what must be there, and says at once if it is not.
///
/// It reads with keys of its own what is stored, as the format pages say, and follows no plan, list or verdict: packs are what their directories say, snapshots are
/// roots until a final mark, and a chunk that a root needs must be in a pack that is there.
final class Oracle: @unchecked Sendable {
    /// The chain of marks of one snapshot.
    struct Chain: Equatable {
        var isForgotten = false
        var isProtected = false
        var isFinal = false
    }

    private struct Root {
        var needs: [ChunkID]
        var contents: [String: DiskContent]
    }

    private let world: World
    private var repository: Repository?
    private var reader: SegmentReader?
    private let index = ChunkIndex()

    // What objects hold, by name, for ever.
    private var chunksOfPack: [ObjectName: [ChunkID]] = [:]
    private var packsOfIndex: [ObjectName: [ObjectName]] = [:]
    private var roots: [SnapshotID: Root] = [:]
    private var aborted: Set<SnapshotID> = []
    private var marks: [ObjectName: Mark] = [:]

    // What is there now.
    private var copies: [ChunkID: Int] = [:]
    private var users: [ChunkID: Int] = [:]
    private var indexCounts: [ObjectName: Int] = [:]

    private(set) var acknowledged: Set<SnapshotID> = []

    init(_ world: World) { self.world = world }

    /// From here on everything is watched.
    func begin(_ repository: Repository) {
        self.repository = repository
        reader = SegmentReader(
            index: index, storage: repository.storage, sealer: repository.sealer, dataKeys: repository.dataKeys, cacheByteCount: 1 << 20)
    }

    // MARK: What actors tell and ask

    /// The user was told that there is a snapshot.
    func acknowledge(_ id: SnapshotID) {
        guard roots[id] != nil else { Violation.report("snapshot \(id) was acknowledged and never committed") }
        acknowledged.insert(id)
        requirePresent(id)
    }

    /// Whether there ever was one.
    var hasSeenSnapshot: Bool { !roots.isEmpty }

    func isAborted(_ id: SnapshotID) -> Bool { aborted.contains(id) }

    func contents(of id: SnapshotID) -> [String: DiskContent]? { roots[id]?.contents }

    func chain(_ id: SnapshotID, before end: UInt64 = .max) -> Chain {
        var chain = Chain()
        var number: UInt64 = 0
        while number < end, world.storage.objects[.mark(id, number)] != nil, let mark = marks[.mark(id, number)] {
            if !chain.isFinal {
                switch mark.kind {
                case .forget: chain.isForgotten = true
                case .undelete: chain.isForgotten = false
                case .protect: chain.isProtected = true
                case .unprotect: chain.isProtected = false
                case .final: chain = Chain(isForgotten: true, isProtected: chain.isProtected, isFinal: true)
                }
            }
            number += 1
        }
        return chain
    }

    /// Committed, whoever was told, and without a final mark.
    var living: [SnapshotID] {
        world.storage.names(.snapshots).keys.compactMap { SnapshotID(hexadecimal: $0.leaf) }
            .filter { roots[$0] != nil && !aborted.contains($0) && !chain($0).isFinal }.sorted { $0.hexadecimal < $1.hexadecimal }
    }

    // MARK: Effects

    func created(_ name: ObjectName, _ bytes: [UInt8], by client: Client) {
        guard let repository else { return }
        world.baton.uninterrupted {
            switch name.kind {
            case .packs, .maps: addPack(name, bytes, repository)
            case .index: addIndex(name, bytes, repository)
            case .snapshots: addSlot(name, bytes, client, repository)
            case .marks: addMark(name, bytes, repository)
            default: break
            }
        }
    }

    func deleted(_ name: ObjectName, _ bytes: [UInt8]) {
        guard repository != nil else { return }
        switch name.kind {
        case .packs, .maps:
            world.tally[.packsDeleted] += 1
            for id in chunksOfPack[name] ?? [] {
                copies[id, default: 0] -= 1
                if copies[id] == 0, let count = users[id], count > 0 { Violation.report("\(name) was deleted, and \(needers(of: id)) need its chunk \(id)") }
            }
        case .index:
            for pack in packsOfIndex[name] ?? [] {
                indexCounts[pack, default: 0] -= 1
                if indexCounts[pack] == 0, !world.weather.isLocalDisk, world.storage.objects[pack] != nil, let id = chunksOfPack[pack]?.first(where: { users[$0, default: 0] > 0 && !isIndexed($0) }) {
                    Violation.report("\(name) was deleted, and no other index object names a pack with chunk \(id) that \(needers(of: id)) need")
                }
            }
        case .snapshots:
            guard let id = SnapshotID(hexadecimal: name.leaf) else { return }
            // After a final mark there is nothing left that its session could commit.
            if aborted.contains(id), !chain(id).isFinal { Violation.report("the abort record \(name) was deleted (Ordering 1)") }
            if !chain(id).isFinal { Violation.report("the manifest \(name) was deleted without a final mark (Ordering 14)") }
        case .marks: Violation.report("the mark \(name) was deleted")
        case .condemned: if name.leaf.hasSuffix(".verdict") { Violation.report("\(name) was deleted (Ordering 1)") }
        case .sessions:
            guard let id = SessionID(hexadecimal: name.leaf) else { return }
            // After a final mark the manifest is gone too.
            if world.storage.objects[.snapshot(id)] == nil, !chain(id).isFinal { Violation.report("\(name) was deleted, and its slot is free (Ordering 8)") }
        case .config, .keyring, .keys: Violation.report("\(name) was deleted")
        default: break
        }
    }

    /// Looks at everything anew, after the storage has lost what it may.
    func rebuild() {
        (copies, users, indexCounts) = ([:], [:], [:])
        for name in world.storage.objects.keys {
            for id in chunksOfPack[name] ?? [] { copies[id, default: 0] += 1 }
            for pack in packsOfIndex[name] ?? [] { indexCounts[pack, default: 0] += 1 }
        }
        for id in living {
            for chunk in roots[id]?.needs ?? [] {
                users[chunk, default: 0] += 1
                if copies[chunk, default: 0] == 0 { Violation.report("the power failed, and snapshot \(id) is there without its chunk \(chunk)") }
            }
        }
        for id in acknowledged { requirePresent(id) }
    }

    private func requirePresent(_ id: SnapshotID) {
        guard world.storage.objects[.snapshot(id)] == nil, !chain(id).isFinal else { return }
        Violation.report("snapshot \(id) was acknowledged and is not there")
    }

    private func isIndexed(_ id: ChunkID) -> Bool {
        index.locations(id).contains { location in
            let name = index.pack(location.pack).name
            return world.storage.objects[name] != nil && indexCounts[name, default: 0] > 0
        }
    }

    private func needers(of id: ChunkID) -> String {
        living.filter { roots[$0]?.needs.contains(id) == true }.map { String($0.hexadecimal.prefix(12)) }.joined(separator: ", ")
    }

    // MARK: Objects

    private func addPack(_ name: ObjectName, _ bytes: [UInt8], _ repository: Repository) {
        if chunksOfPack[name] == nil {
            do throws(PackingError) {
                let file = PackFile(storage: repository.storage, sealer: repository.sealer, verifier: DocumentVerifier(keyring: repository.keyrings.current))
                let info = ObjectInfo(name: name, byteCount: UInt64(bytes.count))
                let directory = try file.readDirectory(info, name.kind == .packs ? .data : .map)
                guard let id = Digest(hexadecimal: name.leaf) else { Violation.report("\(name) is not a pack's name") }
                chunksOfPack[name] = Array(Set(directory.segments.flatMap(\.chunks).map(\.id)))
                index.add(IndexDocument.Pack(id: PackID(id), directory: directory), isCounting: true)
            } catch { Violation.report("\(name) cannot be read: \(error)") }
        }
        for id in chunksOfPack[name] ?? [] { copies[id, default: 0] += 1 }
    }

    private func addIndex(_ name: ObjectName, _ bytes: [UInt8], _ repository: Repository) {
        if packsOfIndex[name] == nil {
            do {
                let document = try IndexDocument(decoding: repository.sealer.open(bytes, repository.sealer.repositoryBinding(.index, name: "")).body)
                packsOfIndex[name] = document.packs.map { $0.directory.kind == .data ? .pack($0.id) : .mapPack($0.id) }
            } catch { Violation.report("\(name) cannot be read: \(error)") }
        }
        for pack in packsOfIndex[name] ?? [] { indexCounts[pack, default: 0] += 1 }
    }

    private func addSlot(_ name: ObjectName, _ bytes: [UInt8], _ client: Client, _ repository: Repository) {
        guard let id = SnapshotID(hexadecimal: name.leaf) else { return }
        do {
            let header = try ObjectHeader(of: bytes[...], expecting: .manifest, .abortRecord)
            guard header.type == .manifest else {
                aborted.insert(id)
                world.tally[.abortRecords] += 1
                return
            }
            let document = try repository.sealer.open(bytes, repository.sealer.repositoryBinding(.manifest, name: name.path))
            let manifest = try Manifest(body: document.body)
            guard let reader else { return }
            var walk = Reach(reader)
            for volume in manifest.images.flatMap(\.volumes) { try walk.add(volume.root, volume.geometry) }
            aborted.remove(id)
            roots[id] = Root(needs: Array(walk.chunks), contents: client.contents)
            // A repeated request that arrived when all was over.
            if chain(id).isFinal { return }
            for chunk in walk.chunks {
                users[chunk, default: 0] += 1
                if copies[chunk, default: 0] == 0 { Violation.report("\(name) was committed, and its chunk \(chunk) is in no pack") }
                if !world.weather.isLocalDisk, !isIndexed(chunk) { Violation.report("\(name) was committed, and no index object names a pack with chunk \(chunk)") }
            }
        } catch { Violation.report("\(name) was put and does not hold: \(error)") }
    }

    private func addMark(_ name: ObjectName, _ bytes: [UInt8], _ repository: Repository) {
        do {
            let mark = try Mark(body: repository.sealer.open(bytes, repository.sealer.repositoryBinding(.mark, name: name.path)).body)
            marks[name] = mark
            guard mark.kind == .final else { return }
            let before = chain(mark.snapshot, before: mark.number)
            if before.isFinal { return }
            guard before.isForgotten, !before.isProtected else { Violation.report("snapshot \(mark.snapshot) got a final mark, and it is \(before.isProtected ? "protected" : "not forgotten")") }
            world.tally[.finalMarks] += 1
            guard world.storage.objects[.snapshot(mark.snapshot)] != nil else { return }
            for chunk in roots[mark.snapshot]?.needs ?? [] { users[chunk, default: 0] -= 1 }
        } catch { Violation.report("\(name) cannot be read: \(error)") }
    }
}

/// The chunks that a map tree reaches, read as the format says.
private struct Reach {
    private let reader: SegmentReader
    private(set) var chunks: Set<ChunkID> = []

    init(_ reader: SegmentReader) { self.reader = reader }

    mutating func add(_ slot: MapSlot, _ geometry: MapGeometry) throws { try add(slot, geometry, level: geometry.depth, firstBand: 0) }

    private mutating func add(_ slot: MapSlot, _ geometry: MapGeometry, level: Int, firstBand: UInt64) throws {
        guard !slot.kind.isUniform else { return }
        chunks.insert(slot.id)
        let bytes = try unsafe reader.withChunk(slot.id, .map) { unsafe Array($0) }
        if level == 0 {
            let map = try BandMap(decoding: bytes, bandByteCount: geometry.bandByteCount(firstBand))
            for entry in map.entries where entry.kind == .data { chunks.insert(entry.chunk) }
            return
        }
        let node = try MapNode(decoding: bytes, level: level, slotCount: geometry.slotCount(level: level, firstBand: firstBand))
        for (place, child) in node.slots.enumerated() {
            try add(child, geometry, level: level - 1, firstBand: firstBand + UInt64(place) * MapGeometry.bandsBelow(level: level - 1))
        }
    }
}
