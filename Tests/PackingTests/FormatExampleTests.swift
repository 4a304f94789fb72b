import Bytes
import Foundation
import Packing
import RepositoryFormat
import Sealing
import Storage
import Testing

/// `Specs/format/example.md` is what this program makes of the same secrets and salts.
struct FormatExampleTests {
    private static let pagePath = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Specs/format/example.md").standardizedFileURL.path

    /// After a change of the format: run once with HOLDFAST_WRITE_EXAMPLE=1, and read what changed before it is committed.
    @Test func `the page of the worked example is what the program makes`() throws {
        let made = try FormatExample().page().text
        if ProcessInfo.processInfo.environment["HOLDFAST_WRITE_EXAMPLE"] != nil { try Data(made.utf8).write(to: URL(filePath: Self.pagePath)) }
        let found = String(decoding: try Data(contentsOf: URL(filePath: Self.pagePath)), as: UTF8.self)
        let (madeLines, foundLines) = (made.split(separator: "\n", omittingEmptySubsequences: false), found.split(separator: "\n", omittingEmptySubsequences: false))
        let difference = zip(madeLines, foundLines).enumerated().first { $0.element.0 != $0.element.1 }
        #expect(made == found, "line \((difference?.offset ?? min(madeLines.count, foundLines.count)) + 1) differs; HOLDFAST_WRITE_EXAMPLE=1 writes the page anew")
    }

    @Test func `the program reads the example as it reads every repository`() throws {
        let example = try FormatExample()
        #expect(example.dataKeys.isConsistent)
        let storage = MemoryStorage(objects: [.pack(example.dataPack.id): example.dataPack.bytes, .mapPack(example.mapPack.id): example.mapPack.bytes])
        let keySlot = try KeySlot(decoding: try example.keySlot().encoded)
        #expect(try SlotSecrets(opening: keySlot, slot: example.slot, with: .keyFile(example.keyFile)).role == .full)
        let verifier = DocumentVerifier(keyring: try Keyring(body: example.keyring(keySlot).body))
        let file = PackFile(storage: storage, sealer: example.sealer, verifier: verifier)
        let (dataPack, mapPack) = (ObjectName.pack(example.dataPack.id), ObjectName.mapPack(example.mapPack.id))
        let (dataInfo, mapInfo) = (ObjectInfo(name: dataPack, byteCount: UInt64(example.dataPack.bytes.count)), ObjectInfo(name: mapPack, byteCount: UInt64(example.mapPack.bytes.count)))
        #expect(try file.readDirectory(dataInfo, .data) == example.dataPack.directory)
        #expect(try file.readDirectory(mapInfo, .map) == example.mapPack.directory)
        #expect(try PackingFixture.segments(file, dataInfo, example.dataPack.id, .data, verifiesName: true).count == example.dataPack.directory.segments.count)
        #expect(try PackingFixture.segments(file, mapInfo, example.mapPack.id, .map, verifiesName: true).count == example.mapPack.directory.segments.count)
        let index = ChunkIndex()
        for pack in try IndexDocument(decoding: example.index.encoded[...]).packs { index.add(pack, isCounting: true) }
        let reader = SegmentReader(index: index, storage: storage, sealer: example.sealer, dataKeys: example.dataKeys)
        #expect(unsafe try reader.withChunk(example.id(example.chunk, .data), .data) { unsafe Array($0) } == example.chunk)
        #expect(unsafe try reader.withChunk(example.id(example.node.encoded, .map), .map) { unsafe Array($0) } == example.node.encoded)
        let binding = example.sealer.repositoryBinding(.manifest, name: ObjectName.snapshot(example.snapshot).path)
        let document = try example.sealer.open(example.object(example.manifest.body, binding, salt: example.salt(1)), binding)
        #expect(try Manifest(body: document.body) == example.manifest)
    }
}
