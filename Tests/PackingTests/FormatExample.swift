import Bytes
import RepositoryFormat
import Sealing

/// The repository of `Specs/format/example.md`: one snapshot, with every secret and salt fixed.
struct FormatExample {
    static func counting(from first: UInt8, _ byteCount: Int = 32) -> [UInt8] { (0..<byteCount).map { first &+ UInt8($0) } }

    private static func secret(_ first: UInt8) -> SecretBytes {
        var bytes = counting(from: first)
        return .moving(&bytes)
    }

    private static func hexadecimal(_ text: String) -> [UInt8] {
        guard let bytes = Hexadecimal.decode(text) else { preconditionFailure("hexadecimal digits") }
        return bytes
    }

    static let created = "2026-03-01T12:00:00Z"
    let repository = RepositoryID(RandomID(counting(from: 0x10, 16)))
    let keyspace = KeyspaceID(RandomID(counting(from: 0x20, 16)))
    let slot = SlotID(RandomID(counting(from: 0x30, 16)))
    let snapshot = SnapshotID(RandomID(counting(from: 0x40, 16)))
    let memberSecret = FormatExample.secret(0x00)
    let signingKey = SigningKey(seed: FormatExample.secret(0x50))
    let rootKey = SigningKey(seed: FormatExample.secret(0x60))
    let dataKeys = DataKeyPair(
        publicKey: hexadecimal("493e82fc74464a59268817623d2053c5eb8e2cc4a988b4fee179ec6b010d531d"), secretKey: FormatExample.secret(0x80))
    let sessionKey = FormatExample.secret(0xE0)
    /// `crypto_box_seal` draws a key pair each time, so this is one result of many.
    let sealedSessionKey = hexadecimal(
        "e53f6bff491bb2e0b60301760c7a36258d7bbc48cb56befa0ded33ca967a5e2f835cee0567c86cf43fcd2d9c40a158108e8d8a4d43bbd48085222f8729a135caeba1f13ca3a452f001f7e9834163331f")
    let keyFile: KeyFile
    let member: MemberKeys
    let sealer: DocumentSealer

    init() throws {
        let check = ObjectDigest.of(FormatExample.counting(from: 0xA0)).hexadecimal.prefix(8)
        var line = Array("HOLDFAST-KEY-1:\(Hexadecimal.encode(FormatExample.counting(from: 0xA0))):\(check)".utf8)
        keyFile = try KeyFile(parsing: &line)
        member = MemberKeys(memberSecret: memberSecret, epoch: 1)
        sealer = DocumentSealer(keyspace: keyspace, repository: repository, member: member, slot: slot, signingKey: signingKey)
    }

    // MARK: Sealing with salts that are chosen

    func salt(_ first: UInt8) -> Digest { Digest(FormatExample.counting(from: first)) }

    func sealedDocument(_ body: [UInt8], _ binding: Binding, salt: Digest) -> (document: SignedDocument, key: OneTimeKey, sealed: [UInt8]) {
        let document = SignedDocument(slot: slot, signature: signingKey.sign(binding.signedMessage(body)), body: body[...])
        let key = OneTimeKey.derive(base: member.metadataKey, type: binding.type, salt: salt)
        return (document, key, AuthenticatedCipher.seal(document.encoded, key: key, associatedData: binding.associatedData))
    }

    func object(_ body: [UInt8], _ binding: Binding, salt: Digest) -> [UInt8] {
        ObjectHeader(type: binding.type, epoch: 1, salt: salt).encoded + sealedDocument(body, binding, salt: salt).sealed
    }

    func id(_ chunk: [UInt8], _ kind: PackDirectory.Kind) -> ChunkID { unsafe chunk.withUnsafeBytes { unsafe member.chunkID(kind, $0) } }

    func fingerprint(_ bytes: [UInt8]) -> Fingerprint { unsafe bytes.withUnsafeBytes { unsafe member.fingerprint($0) } }

    // MARK: What is stored

    let chunk = Array("A disk with very little on it.".utf8)

    /// The last 30 bytes of an image of 16 MiB and 30 bytes, which is zeros before.
    var bandMap: BandMap {
        BandMap(entries: [MapEntry(kind: .data, byteCount: UInt32(chunk.count), chunk: id(chunk, .data), fingerprint: fingerprint(chunk), chunkOffset: 0)])
    }

    var node: MapNode { MapNode(level: 1, slots: [.uniform(.zero), MapSlot(kind: .map, id: id(bandMap.encoded, .map))]) }

    /// A pack of one raw segment.
    struct Pack {
        var id: PackID
        var bytes: [UInt8]
        var directory: PackDirectory
        var segmentKey: OneTimeKey
        var segmentSalt: Digest
        var directorySalt: Digest
        var directoryObject: (document: SignedDocument, key: OneTimeKey, sealed: [UInt8])
        var paddingByteCount: Int
    }

    func pack(_ kind: PackDirectory.Kind, _ chunks: [[UInt8]], segmentSalt: Digest, directorySalt: Digest) -> Pack {
        let decoded = chunks.flatMap { $0 }
        let padded = PackLayout.paddedByteCount(encoded: decoded.count, decoded: decoded.count, chunkCount: chunks.count)
        let key =
            kind == .data
            ? OneTimeKey.dataSegment(sessionKey: sessionKey, member: member, salt: segmentSalt)
            : OneTimeKey.derive(base: member.mapSegmentKey, type: .mapSegment, salt: segmentSalt)
        let plaintext = decoded + [UInt8](repeating: 0, count: padded - decoded.count)
        let stored = segmentSalt.bytes + AuthenticatedCipher.seal(plaintext, key: key, associatedData: sealer.keyspaceBinding(kind.segmentType).associatedData)
        let recipient = PackDirectory.Key.Recipient(id: DataKeyPair.recipientID(of: dataKeys.publicKey), sealedKey: sealedSessionKey)
        let tableKey = PackDirectory.Key(id: SessionKeyID(RandomID(FormatExample.counting(from: 0x70, 16))), recipients: [recipient])
        let segment = PackDirectory.Segment(
            offset: UInt32(ObjectHeader.byteCount), sealedByteCount: UInt32(stored.count), encodedByteCount: UInt32(decoded.count),
            decodedByteCount: UInt32(decoded.count), codec: .raw, keyIndex: kind == .data ? 0 : PackDirectory.Segment.memberKeyIndex,
            digest: unsafe stored.withUnsafeBytes { unsafe member.segmentDigest($0) },
            chunks: chunks.map { .init(id: id($0, kind), byteCount: UInt32($0.count)) })
        var directory = PackDirectory(kind: kind, epoch: 1, packByteCount: 0, keys: kind == .data ? [tableKey] : [], segments: [segment])
        let before = ObjectHeader.byteCount + stored.count
        let behind = SignedDocument.bodyOffset + directory.encoded.count + PackLayout.tagByteCount + PackLayout.trailerByteCount
        let total = PackLayout.padme(before + behind)
        directory.packByteCount = UInt64(total)
        let sealed = sealedDocument(directory.encoded, sealer.keyspaceBinding(kind.directoryType), salt: directorySalt)
        var writer = ByteWriter()
        writer.write(ObjectHeader(type: kind.packType, epoch: 1, salt: directorySalt).encoded)
        writer.write(stored)
        writer.write([UInt8](repeating: 0, count: total - before - behind))
        writer.write(sealed.sealed)
        writer.write(UInt32(sealed.sealed.count))
        writer.write(PackLayout.trailerMagic)
        return Pack(
            id: PackID(ObjectDigest.of(writer.bytes)), bytes: writer.bytes, directory: directory, segmentKey: key, segmentSalt: segmentSalt,
            directorySalt: directorySalt, directoryObject: sealed, paddingByteCount: total - before - behind)
    }

    var dataPack: Pack { pack(.data, [chunk], segmentSalt: salt(0xB1), directorySalt: salt(0xB2)) }
    var mapPack: Pack { pack(.map, [bandMap.encoded, node.encoded], segmentSalt: salt(0xB3), directorySalt: salt(0xB4)) }

    var index: IndexDocument {
        IndexDocument(packs: [.init(id: dataPack.id, directory: dataPack.directory), .init(id: mapPack.id, directory: mapPack.directory)])
    }

    var manifest: Manifest {
        let byteCount = UInt64(FormatLimits.bandByteCount + chunk.count)
        let volume = VolumeRecord(
            kind: .whole, partition: nil, placements: [.init(offset: 0, byteCount: byteCount)], averageChunkByteCount: 32_768, fileSystem: .null,
            root: MapSlot(kind: .node, id: id(node.encoded, .map)))
        let image = ImageRecord(
            name: "disk", source: .init(kind: "file", path: "/disk", serialNumber: nil, worldWideName: nil, model: nil), byteCount: byteCount,
            logicalSectorByteCount: 512, physicalSectorByteCount: 4096, label: .null, changeTracker: nil, volumes: [volume])
        var counters = Manifest.Counters()
        counters.imageByteCount = byteCount
        counters.readByteCount = byteCount
        (counters.chunkCount, counters.newChunkCount, counters.newByteCount) = (1, 1, UInt64(chunk.count))
        counters.storedByteCount = UInt64(dataPack.bytes.count + mapPack.bytes.count)
        return Manifest(
            snapshot: snapshot, parent: nil, host: "example", machineID: "", startTime: FormatExample.created, endTime: FormatExample.created,
            tool: "example", tags: [], description: "", images: [image], attachments: [], counters: counters, isComplete: true, ordinal: 1, heads: [],
            seen: .init(count: 0, digest: ObjectDigest.of([])), keyringNumber: 0, requiredFeatures: .none)
    }

    var mark: Mark { Mark(kind: .protect, snapshot: snapshot, number: 0, time: FormatExample.created) }

    func keySlot() throws -> KeySlot {
        let secrets = SlotSecrets(
            role: .full, repository: repository, keyspace: keyspace, slot: slot, signingKey: signingKey, memberSecrets: [(1, memberSecret)],
            dataPublicKey: dataKeys.publicKey, rootPublicKey: rootKey.publicKey, dataKeys: dataKeys, rootKey: rootKey)
        return try secrets.seal(
            for: .keyFile(keyFile), cost: .moderate, salt: salt(0xC0), derivationSalt: RandomID(FormatExample.counting(from: 0xD0, 16)))
    }

    var config: Config {
        Config(repository: repository, keyspace: keyspace, rootPublicKey: rootKey.publicKey, averageChunkByteCount: 32_768, created: FormatExample.created)
    }

    func keyring(_ keySlot: KeySlot) -> Keyring {
        let slot = Keyring.Slot(
            id: slot, publicKey: signingKey.publicKey, role: .full, capabilities: Role.full.defaultCapabilities,
            keyDigest: ObjectDigest.of(keySlot.encoded), label: "example", created: FormatExample.created)
        return Keyring(number: 0, previous: nil, repository: repository, slots: [slot], retired: [], epochs: [1], requiredFeatures: .none)
    }
}
