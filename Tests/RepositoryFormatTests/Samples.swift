import Bytes
import RepositoryFormat
import TestSupport

/// One value of each thing that is encoded, with all its optional parts, made from a seed.
struct Samples {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func digest() -> Digest { Digest(generator.bytes(32)) }
    mutating func id() -> RandomID { RandomID(generator.bytes(16)) }
    mutating func bytes(_ byteCount: Int) -> [UInt8] { generator.bytes(byteCount) }
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    mutating func directory(_ kind: PackDirectory.Kind, keyCount: Int = 2, segmentCount: Int = 3) -> PackDirectory {
        var keys: [PackDirectory.Key] = []
        for number in 0..<(kind == .data ? keyCount : 0) {
            let recipients = (0...number % 3).map { _ in PackDirectory.Key.Recipient(id: id(), sealedKey: bytes(80)) }
            keys.append(.init(id: SessionKeyID(id()), recipients: recipients))
        }
        var segments: [PackDirectory.Segment] = []
        var offset = ObjectHeader.byteCount
        for number in 0..<segmentCount {
            let chunks = (0..<self.number(1...6)).map { _ in PackDirectory.Chunk(id: ChunkID(digest()), byteCount: UInt32(self.number(1...90_000))) }
            let decoded = chunks.reduce(0) { $0 + Int($1.byteCount) }
            let codec: Codec = number % 2 == 0 ? .zstd : .raw
            let encoded = codec == .raw ? decoded : max(1, decoded / 3)
            let sealed = PackLayout.paddedByteCount(encoded: encoded, decoded: decoded, chunkCount: chunks.count) + PackLayout.segmentOverheadByteCount
            segments.append(
                .init(
                    offset: UInt32(offset), sealedByteCount: UInt32(sealed), encodedByteCount: UInt32(encoded), decodedByteCount: UInt32(decoded),
                    codec: codec, keyIndex: kind == .data ? UInt8(number % keyCount) : 255, digest: id(), chunks: chunks))
            offset += sealed
        }
        return PackDirectory(kind: kind, epoch: 1, packByteCount: UInt64(offset + 100_000), keys: keys, segments: segments)
    }

    mutating func bandMap(chunkOffsets: Bool) -> BandMap {
        func data(_ byteCount: UInt32, _ offset: UInt32) -> MapEntry {
            let fingerprint = Fingerprint(id())
            return MapEntry(kind: .data, byteCount: byteCount, chunk: ChunkID(digest()), fingerprint: fingerprint, chunkOffset: chunkOffsets ? offset : 0)
        }
        return BandMap(entries: [
            data(70_000, 515), MapEntry(kind: .zero, byteCount: 4096), data(1, 771), MapEntry(kind: .unreadable, byteCount: 512),
            MapEntry(kind: .unused, byteCount: 8192), MapEntry(kind: .excluded, byteCount: 3),
        ])
    }

    mutating func node(level: Int) -> MapNode {
        let below: MapKind = level == 1 ? .map : .node
        return MapNode(
            level: level,
            slots: [
                MapSlot(kind: below, id: ChunkID(digest())), .uniform(.zero), .uniform(.unused), MapSlot(kind: below, id: ChunkID(digest())),
                .uniform(.excluded), .uniform(.unreadable),
            ])
    }

    mutating func keySlot(_ derivation: KeySlot.Derivation) -> KeySlot {
        KeySlot(salt: digest(), derivation: derivation, derivationSalt: id(), commitment: digest(), sealedPayload: bytes(40)[...])
    }

    mutating func config() -> Config {
        Config(
            repository: RepositoryID(id()), keyspace: KeyspaceID(id()), rootPublicKey: bytes(32), averageChunkByteCount: 32_768,
            created: "2026-03-01T12:00:00Z")
    }

    mutating func slot(_ role: Role) -> Keyring.Slot {
        Keyring.Slot(
            id: SlotID(id()), publicKey: bytes(32), role: role, capabilities: role.defaultCapabilities, keyDigest: digest(), label: "a \"label\"",
            created: "2026-03-01T12:00:00Z")
    }

    mutating func keyring(number: UInt64) -> Keyring {
        Keyring(
            number: number, previous: number == 0 ? nil : digest(), repository: RepositoryID(id()), slots: [slot(.full), slot(.backup)],
            retired: [.init(slot: slot(.backup), manifests: [.init(snapshot: SnapshotID(id()), digest: digest())])], epochs: [1, 7],
            requiredFeatures: FeatureSet(read: [], write: ["of tomorrow"], prune: []))
    }

    mutating func image(name: String, byteCount: UInt64) -> ImageRecord {
        let half = byteCount / 2
        let root: MapSlot =
            switch MapGeometry(byteCount: half).depth {
            case 0: half == 0 ? .uniform(.zero) : MapSlot(kind: .map, id: ChunkID(digest()))
            default: MapSlot(kind: .node, id: ChunkID(digest()))
            }
        return ImageRecord(
            name: name, source: .init(kind: "device", path: "/dev/sdä", serialNumber: "123", worldWideName: nil, model: "m"), byteCount: byteCount,
            logicalSectorByteCount: 512, physicalSectorByteCount: 4096, label: ["type": "gpt"], changeTracker: ChangeTracker(kind: "map", id: "vg/root", generation: "7"),
            volumes: [
                .init(kind: .whole, partition: nil, placements: [.init(offset: 0, byteCount: half)], averageChunkByteCount: 32_768, fileSystem: .null, root: root),
                .init(
                    kind: .partition, partition: 2, placements: [.init(offset: half, byteCount: byteCount - half)], averageChunkByteCount: 32_768, fileSystem: ["type": "ext4"],
                    root: .uniform(.zero)),
            ])
    }

    mutating func manifest() -> Manifest {
        var counters = Manifest.Counters()
        counters.newByteCount = 17
        let images = [image(name: "a", byteCount: 1 << 20), image(name: "b", byteCount: 1 << 40), image(name: "", byteCount: 0)]
        let attachment = RepositoryFormat.Attachment(kind: "log", name: "boot", byteCount: 3, root: MapSlot(kind: .map, id: ChunkID(digest())))
        return Manifest(
            snapshot: SnapshotID(id()), parent: SnapshotID(id()), host: "höst", machineID: "", startTime: "2026-03-01T12:00:00Z",
            endTime: "2026-03-01T12:00:09Z", tool: "holdfast 1", tags: ["weekly", ""], description: "\u{1F512}", images: images, attachments: [attachment],
            counters: counters, isComplete: true, ordinal: 9, heads: [.init(snapshot: SnapshotID(id()), digest: digest())],
            seen: .init(count: 8, digest: digest()), keyringNumber: 3, requiredFeatures: .none)
    }
}
