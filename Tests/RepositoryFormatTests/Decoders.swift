import Bytes
import RepositoryFormat
import Testing

/// Something that decodes bytes: a sample it takes, and what it makes of other bytes, encoded again.
struct Decoder: Sendable, CustomTestStringConvertible {
    var name: String
    var sample: [UInt8]
    /// Whether equal values have equal bytes. Not so for JSON, which is signed as it is.
    var isCanonical = true
    var reencode: @Sendable ([UInt8]) throws -> [UInt8]

    var testDescription: String { name }

    static let binary: [Decoder] = {
        var samples = Samples(seed: 1)
        let bandMap = samples.bandMap(chunkOffsets: false)
        let offsetMap = samples.bandMap(chunkOffsets: true)
        let dataDirectory = samples.directory(.data)
        let mapDirectory = samples.directory(.map)
        let index = IndexDocument(packs: [
            .init(id: PackID(samples.digest()), directory: samples.directory(.data, segmentCount: 1)),
            .init(id: PackID(samples.digest()), directory: samples.directory(.map, segmentCount: 1)),
        ])
        let header = ObjectHeader(type: .manifest, epoch: 3, salt: samples.digest())
        let nodes = (1...4).map { samples.node(level: $0) }
        return [
            Decoder(name: "header", sample: header.encoded) { try ObjectHeader(of: $0[...], expecting: .manifest, .abortRecord).encoded + $0.dropFirst(48) },
            Decoder(name: "band map", sample: bandMap.encoded) { try BandMap(decoding: $0, bandByteCount: bandMap.byteCount).encoded },
            Decoder(name: "band map with chunk offsets", sample: offsetMap.encoded) {
                try BandMap(decoding: $0, bandByteCount: offsetMap.byteCount).encoded
            },
            Decoder(name: "directory of a data pack", sample: dataDirectory.encoded) { try PackDirectory(decoding: $0[...]).encoded },
            Decoder(name: "directory of a map pack", sample: mapDirectory.encoded) { try PackDirectory(decoding: $0[...]).encoded },
            Decoder(name: "index", sample: index.encoded) { try IndexDocument(decoding: $0[...]).encoded },
            Decoder(name: "key slot of a password", sample: samples.keySlot(.password(operations: 3, byteCount: 256 << 20)).encoded) {
                try KeySlot(decoding: $0).encoded
            },
            Decoder(name: "key slot of a key file", sample: samples.keySlot(.keyFile).encoded) { try KeySlot(decoding: $0).encoded },
        ]
            + nodes.map { node in
                Decoder(name: "node of level \(node.level)", sample: node.encoded) {
                    try MapNode(decoding: $0, level: node.level, slotCount: node.slots.count).encoded
                }
            }
    }()

    static let json: [Decoder] = {
        var samples = Samples(seed: 2)
        let mark = Mark(kind: .protect, snapshot: SnapshotID(samples.id()), number: 12, time: "2026-03-01T12:00:00Z")
        let session = SessionRecord(kind: "backup", host: "h", machineID: "m", processSpace: "s", processID: 4711, startTime: "2026-03-01T12:00:00Z", tool: "t")
        let heartbeat = Heartbeat(session: SessionID(samples.id()), number: 3, time: "2026-03-01T12:00:00Z")
        let condemned = CondemnedList(kind: .prune, dataPacks: [PackID(samples.digest())], mapPacks: [PackID(samples.digest())])
        let awaited = AwaitedSessions(sessions: [SessionID(samples.id()), SessionID(samples.id())])
        let abort = AbortRecord(session: SessionID(samples.id()), reason: "silent", time: "2026-03-01T12:00:00Z")
        return [
            Decoder(name: "config", sample: samples.config().body, isCanonical: false) { try Config(body: $0).body },
            Decoder(name: "first keyring", sample: samples.keyring(number: 0).body, isCanonical: false) { try Keyring(body: $0).body },
            Decoder(name: "later keyring", sample: samples.keyring(number: 31).body, isCanonical: false) { try Keyring(body: $0).body },
            Decoder(name: "manifest", sample: samples.manifest().body, isCanonical: false) { try Manifest(body: $0).body },
            Decoder(name: "mark", sample: mark.body, isCanonical: false) { try Mark(body: $0).body },
            Decoder(name: "session", sample: session.body, isCanonical: false) { try SessionRecord(body: $0).body },
            Decoder(name: "heartbeat", sample: heartbeat.body, isCanonical: false) { try Heartbeat(body: $0).body },
            Decoder(name: "condemned list", sample: condemned.body, isCanonical: false) { try CondemnedList(body: $0).body },
            Decoder(name: "awaited sessions", sample: awaited.body, isCanonical: false) { try AwaitedSessions(body: $0).body },
            Decoder(name: "abort record", sample: abort.body, isCanonical: false) { try AbortRecord(body: $0).body },
        ]
    }()

    static let all = binary + json
}
