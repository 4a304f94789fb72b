import Bytes
import Compression
import Packing
import RepositoryFormat
import Sealing
import Storage
import TestSupport
import Testing

struct PackRoundTripTests {
    @Test(arguments: [PackDirectory.Kind.data, .map], [2, nil] as [Int?]) func `chunks come out of packs as they went in`(kind: PackDirectory.Kind, level: Int?) throws {
        let fixture = PackingFixture()
        let chunks = PackingFixture.chunks(60, seed: 1) + [[7], [UInt8](repeating: 9, count: 3 << 20), [8, 8]]
        let packs = try fixture.store(chunks, kind, level: level, closeByteCount: 1 << 20)
        #expect(packs.count > 2)
        let reader = fixture.reader(fixture.index(packs))
        for chunk in chunks.reversed() { #expect(try fixture.read(fixture.id(chunk, kind), kind, with: reader) == chunk) }
    }

    @Test func `a pack is named by its digest, has a Padmé size, and says itself what is in it`() throws {
        let storage = MemoryStorage(objects: [:])
        let fixture = PackingFixture(storage)
        let packs = try fixture.store(PackingFixture.chunks(60, seed: 2), level: nil, closeByteCount: 1 << 20)
        #expect(packs.count > 3)
        let file = PackFile(storage: storage, sealer: fixture.sealer, verifier: fixture.verifier)
        #expect(Set(storage.objects.keys) == Set(packs.map { ObjectName.pack($0.id) }))
        for pack in packs {
            let name = ObjectName.pack(pack.id)
            let object = try #require(storage.objects[name])
            #expect(ObjectDigest.of(object) == pack.id.digest)
            #expect(object.count == PackLayout.padme(object.count))
            let info = ObjectInfo(name: name, byteCount: UInt64(object.count))
            #expect(try file.readDirectory(info, .data) == pack.directory)
            let segments = pack.directory.segments.map { Array(object[Int($0.offset)..<Int($0.offset + $0.sealedByteCount)]) }
            for verifiesName in [true, false] {
                #expect(try PackingFixture.segments(file, info, pack.id, .data, verifiesName: verifiesName) == segments)
            }
            #expect(try PackDirectory(decoding: pack.directory.encoded[...]) == pack.directory)
            var previousEnd = UInt32(ObjectHeader.byteCount)
            for segment in pack.directory.segments {
                #expect(segment.offset == previousEnd)
                previousEnd += segment.sealedByteCount
                let sealed = Array(object[Int(segment.offset)..<Int(previousEnd)])
                #expect(unsafe sealed.withUnsafeBytes { unsafe fixture.sealer.member.segmentDigest($0) } == segment.digest)
            }
            // Also in a buffer that held another pack before.
            let directoryStart = object.count - 8 - (80 + pack.directory.encoded.count + 16)
            #expect(object[Int(previousEnd)..<directoryStart].allSatisfy { $0 == 0 })
        }
    }

    @Test func `every changed byte of a small pack is noticed`() throws {
        let storage = MemoryStorage(objects: [:])
        let fixture = PackingFixture(storage)
        let pack = try #require(try fixture.store([[1, 2, 3]], .map).first)
        let file = PackFile(storage: storage, sealer: fixture.sealer, verifier: fixture.verifier)
        let object = try #require(storage.objects[.mapPack(pack.id)])
        let segments = 48..<48 + Int(pack.directory.segments[0].sealedByteCount)
        let padding = segments.upperBound..<object.count - 8 - (80 + pack.directory.encoded.count + 16)
        for index in object.indices where index % 97 == 0 || !segments.contains(index) {
            storage.damage(.mapPack(pack.id), at: index)
            let info = ObjectInfo(name: .mapPack(pack.id), byteCount: UInt64(object.count))
            #expect(throws: PackingError.self) { try PackingFixture.segments(file, info, pack.id, .map, verifiesName: true) }
            if !segments.contains(index) {
                // Without its digest, too: header, padding, directory and trailer leave nothing out.
                #expect(throws: PackingError.self) { try PackingFixture.segments(file, info, pack.id, .map, verifiesName: false) }
            }
            if segments.contains(index) {
                let reader = fixture.reader(fixture.index([pack]))
                #expect(throws: PackingError.self) { try fixture.read(fixture.id([1, 2, 3], .map), .map, with: reader) }
            } else if !padding.contains(index) {
                #expect(throws: PackingError.self) { try file.readDirectory(info, .map) }
            }
            storage.overwrite(.mapPack(pack.id), with: object)
        }
    }

    @Test func `small segments are padded to whole steps, so that they do not tell the length of a chunk`() throws {
        let fixture = PackingFixture()
        for byteCount in [1, 100, 16_336, 16_337, 40_000] {
            let segment = try #require(try fixture.store([[UInt8](repeating: 1, count: byteCount)], level: nil).first?.directory.segments.first)
            #expect(segment.sealedByteCount % 16_384 == 0)
            #expect(Int(segment.sealedByteCount) - byteCount - 48 < 16_384)
        }
    }

    @Test func `a large chunk stands alone, and segments end before they exceed their size`() throws {
        let fixture = PackingFixture()
        let chunks = [[UInt8](repeating: 1, count: 700_000), [UInt8](repeating: 2, count: 700_000), [UInt8](repeating: 3, count: 4 << 20), [4]]
        let segments = try fixture.store(chunks).flatMap(\.directory.segments)
        #expect(segments.map { $0.chunks.map(\.byteCount) } == [[700_000], [700_000], [4 << 20], [1]])
    }

    @Test func `a segment whose chunks come from many bands is closed early`() throws {
        let fixture = PackingFixture()
        let writer = fixture.writer()
        let builder = fixture.builder(writer)
        for band in UInt64(0)..<20 {
            var generator = SeededGenerator(seed: band)
            let chunk = generator.bytes(40_000)
            unsafe try chunk.withUnsafeBytes { unsafe try builder.append(fixture.id(chunk), $0, band: band) }
        }
        try builder.flush()
        try writer.finish()
        #expect(writer.takeConfirmed().flatMap(\.directory.segments).map(\.chunks.count) == [9, 9, 2])
    }

    /// 40 000 bytes each; between two of them as many bytes as given.
    @Test(arguments: [(0, [20]), (70_000, [20]), (100_000, [7, 7, 6])]) func `a segment whose chunks lie far apart in their band is closed early`(
        gap: Int, counts: [Int]
    ) throws {
        let fixture = PackingFixture()
        let writer = fixture.writer()
        let builder = fixture.builder(writer)
        for (number, chunk) in PackingFixture.chunks(20, seed: 3, byteCounts: 40_000...40_000).enumerated() {
            unsafe try chunk.withUnsafeBytes { unsafe try builder.append(fixture.id(chunk), $0, band: 0, offset: number * (40_000 + gap)) }
        }
        try builder.flush()
        try writer.finish()
        #expect(writer.takeConfirmed().flatMap(\.directory.segments).map(\.chunks.count) == counts)
    }

    @Test func `what compresses is compressed, also behind what does not`() throws {
        let fixture = PackingFixture()
        var generator = SeededGenerator(seed: 21)
        let noise = (0..<3).map { _ in generator.bytes(1 << 20) }
        let word = generator.bytes(64)
        let text = (0..<1 << 20).map { word[($0 + $0 / 997) % 64] }
        // Every other quarter of it compresses.
        let mixed = (0..<4).flatMap { $0 % 2 == 0 ? generator.bytes(1 << 18) : Array(text[..<(1 << 18)]) }
        let packs = try fixture.store([noise[0], noise[1], mixed, noise[2], text, Array(text.dropFirst())], level: 3)
        let segments = packs.flatMap(\.directory.segments)
        #expect(segments.map(\.codec) == [.raw, .raw, .zstd, .raw, .zstd, .zstd])
        let reader = fixture.reader(fixture.index(packs))
        #expect(try fixture.read(fixture.id(mixed), with: reader) == mixed)
    }

    @Test func `a key of another role or repository reads no data`() throws {
        let fixture = PackingFixture()
        let index = fixture.index(try fixture.store([[1, 2, 3]]))
        let id = fixture.id([1, 2, 3])
        let backupRole = SegmentReader(index: index, storage: fixture.storage, sealer: fixture.sealer, dataKeys: nil)
        #expect { try fixture.read(id, with: backupRole) } throws: { if case PackingError.noDataKey = $0 { true } else { false } }
        let stranger = SegmentReader(index: index, storage: fixture.storage, sealer: fixture.sealer, dataKeys: .random())
        #expect { try fixture.read(id, with: stranger) } throws: { if case PackingError.damaged = $0 { true } else { false } }
        let otherMember = SegmentReader(index: index, storage: fixture.storage, sealer: PackingFixture().sealer, dataKeys: fixture.dataKeys)
        #expect { try fixture.read(id, with: otherMember) } throws: { if case PackingError.damaged = $0 { true } else { false } }
    }

    @Test func `a chunk nobody has is missing, and one of another kind is refused`() throws {
        let fixture = PackingFixture()
        let reader = fixture.reader(fixture.index(try fixture.store([[1, 2, 3]])))
        #expect { try fixture.read(fixture.id([9]), with: reader) } throws: { if case PackingError.missing = $0 { true } else { false } }
        #expect { try fixture.read(fixture.id([1, 2, 3]), .map, with: reader) } throws: { if case PackingError.damaged = $0 { true } else { false } }
    }

    @Test func `a chunk is not taken for the one whose id it bears`() throws {
        let fixture = PackingFixture()
        let writer = fixture.writer()
        let builder = fixture.builder(writer)
        let wrong = fixture.id([1, 2, 3])
        unsafe try [9, 9, 9].withUnsafeBytes { unsafe try builder.append(wrong, $0, band: 0) }
        try builder.flush()
        try writer.finish()
        let reader = fixture.reader(fixture.index(writer.takeConfirmed()))
        #expect { try fixture.read(wrong, with: reader) } throws: { if case PackingError.damaged = $0 { true } else { false } }
    }
}

/// What a writer that does not follow the format could seal, and a reader refuses although the tag is right.
struct SegmentFormatTests {
    private static let chunk = (0..<1000).map { UInt8(truncatingIfNeeded: $0 % 50) }

    /// Opens a map segment of `chunk` that was sealed from `plaintext`.
    private static func open(_ plaintext: [UInt8], encodedByteCount: Int, codec: Codec) throws -> [UInt8] {
        let fixture = PackingFixture()
        let salt = Digest([UInt8](repeating: 1, count: 32))
        let key = OneTimeKey.derive(base: fixture.sealer.member.mapSegmentKey, type: .mapSegment, salt: salt)
        let binding = fixture.sealer.keyspaceBinding(.mapSegment)
        let sealed = salt.bytes + AuthenticatedCipher.seal(plaintext, key: key, associatedData: binding.associatedData)
        let segment = PackDirectory.Segment(
            offset: 48, sealedByteCount: UInt32(sealed.count), encodedByteCount: UInt32(encodedByteCount), decodedByteCount: UInt32(chunk.count), codec: codec,
            keyIndex: 255, digest: RandomID([UInt8](repeating: 0, count: 16)), chunks: [.init(id: fixture.id(chunk, .map), byteCount: UInt32(chunk.count))])
        let directory = PackDirectory(kind: .map, epoch: 1, packByteCount: 1 << 20, keys: [], segments: [segment])
        let record = PackRecord(id: PackID(salt), directory: directory, isCounting: true)
        let memory = SegmentBuffers().take(sealed.count)
        unsafe sealed.withUnsafeBytes { unsafe memory.buffer.copy($0, at: 0) }
        let decoded = try SegmentOpener(fixture.sealer, nil).open(SealedSegment(0..<sealed.count, of: memory), record, 0)
        return withExtendedLifetime(decoded) { unsafe Array(decoded.bytes) }
    }

    private static func frame() throws -> [UInt8] {
        let compressor = SegmentCompressor()
        var target = [UInt8](repeating: 0, count: chunk.count)
        let count = try unsafe chunk.withUnsafeBytes { source in
            try unsafe target.withUnsafeMutableBytes { target in unsafe try compressor.compress(source, into: target, level: 2) }
        }
        return Array(target.prefix(try #require(count)))
    }

    @Test func `padding of zeros is passed over`() throws {
        let frame = try Self.frame()
        let zeros = [UInt8](repeating: 0, count: 500)
        #expect(try Self.open(Self.chunk + zeros, encodedByteCount: Self.chunk.count, codec: .raw) == Self.chunk)
        #expect(try Self.open(frame + zeros, encodedByteCount: frame.count, codec: .zstd) == Self.chunk)
    }

    @Test func `padding of anything else is refused, raw or compressed`() throws {
        let frame = try Self.frame()
        for position in [0, 250, 499] {
            var padding = [UInt8](repeating: 0, count: 500)
            padding[position] = 1
            #expect(throws: PackingError.self) { try Self.open(Self.chunk + padding, encodedByteCount: Self.chunk.count, codec: .raw) }
            #expect(throws: PackingError.self) { try Self.open(frame + padding, encodedByteCount: frame.count, codec: .zstd) }
        }
    }

    @Test func `a frame is exactly as long as the directory says`() throws {
        let frame = try Self.frame()
        for wrong in [frame.count - 1, frame.count + 1, frame.count + 500] {
            #expect(throws: PackingError.self) { try Self.open(frame + [UInt8](repeating: 0, count: 500), encodedByteCount: wrong, codec: .zstd) }
        }
        #expect(throws: PackingError.self) { try Self.open(frame, encodedByteCount: frame.count + 1, codec: .zstd) }
    }

    @Test func `a frame with a checksum, a dictionary or another size is refused`() throws {
        let frame = try Self.frame()
        for bits in [UInt8(4), 1, 2, 3] {
            var changed = frame
            changed[4] |= bits
            #expect(throws: PackingError.self) { try Self.open(changed, encodedByteCount: frame.count, codec: .zstd) }
        }
        let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9]
        #expect(throws: PackingError.self) { try Self.open(skippable + frame, encodedByteCount: frame.count + 9, codec: .zstd) }
        #expect(throws: PackingError.self) { try Self.open(frame + skippable, encodedByteCount: frame.count + 9, codec: .zstd) }
        #expect(throws: PackingError.self) { try Self.open(frame + frame, encodedByteCount: frame.count * 2, codec: .zstd) }
    }

    @Test func `a frame that tells of a checksum is refused before it is decoded`() throws {
        // A single raw block of 1000 bytes; behind it would stand the low 32 bits of their XXH64.
        let header: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x64, 0xE8, 0x02]
        let block: [UInt8] = [0x41, 0x1F, 0x00]
        for tail in [[0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF]] as [[UInt8]] {
            let frame = header + block + Self.chunk + tail
            #expect { try Self.open(frame, encodedByteCount: frame.count, codec: .zstd) } throws: {
                if case PackingError.damaged(_, let reason) = $0 { reason.contains("checksum or a dictionary") } else { false }
            }
        }
    }
}
