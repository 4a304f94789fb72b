import Bytes
import TestSupport
import Testing

struct ByteReaderTests {
    @Test func `fields come back in the order and the byte order in which they were written`() throws {
        var writer = ByteWriter()
        writer.write(UInt8(0xAB))
        writer.write(UInt16(0x1234))
        writer.write(UInt32(0xDEAD_BEEF))
        writer.write(UInt64(0x0102_0304_0506_0708))
        #expect(writer.bytes == [0xAB, 0x34, 0x12, 0xEF, 0xBE, 0xAD, 0xDE, 8, 7, 6, 5, 4, 3, 2, 1])
        var reader = ByteReader(writer.bytes)
        #expect(try reader.readUInt8("a") == 0xAB)
        #expect(try reader.readUInt16("b") == 0x1234)
        #expect(try reader.readUInt32("c") == 0xDEAD_BEEF)
        #expect(throws: DecodingError.trailing(byteCount: 8)) { try reader.finish() }
        #expect(try reader.readUInt64("d") == 0x0102_0304_0506_0708)
        try reader.finish()
    }

    @Test func `a read beyond the end names its field and takes nothing`() throws {
        var reader = ByteReader([1, 2, 3])
        #expect(throws: DecodingError.truncated(field: "salt")) { try reader.readUInt32("salt") }
        #expect(throws: DecodingError.truncated(field: "less than nothing")) { try reader.read(byteCount: -1, "less than nothing") }
        #expect(throws: DecodingError.truncated(field: "everything")) { try reader.read(byteCount: .max, "everything") }
        #expect(try reader.readUInt16("rest") == 0x0201)
    }

    @Test func `a slice is read from its own start`() throws {
        let bytes: [UInt8] = [9, 9, 1, 0, 9]
        var reader = ByteReader(bytes[2..<4])
        #expect(reader.remainingByteCount == 2)
        #expect(try reader.readUInt16("value") == 1)
        try reader.finish()
    }

    @Test func `a count is refused when its items cannot be there, before anything is allocated`() {
        for limit in [10, Int(UInt32.max)] {
            var reader = ByteReader([0xFF, 0xFF, 0xFF, 0xFF, 0])
            #expect(throws: DecodingError.self) { try reader.readCount(limit: limit, itemByteCount: 40, "count") }
        }
        for (count, isTaken) in [(UInt8(2), true), (3, false)] {
            var reader = ByteReader([count, 0, 0, 0] + [UInt8](repeating: 0, count: 80))
            #expect(((try? reader.readCount(limit: 10, itemByteCount: 40, "count")) != nil) == isTaken)
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func `digests and ids survive writing, reading and hexadecimal`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let bytes = generator.bytes(48)
        let (digest, id) = (Digest(bytes[..<32]), RandomID(bytes[32...]))
        var writer = ByteWriter()
        writer.write(digest)
        writer.write(id)
        #expect(writer.bytes == bytes)
        var reader = ByteReader(bytes)
        #expect(try reader.readDigest("digest") == digest)
        #expect(try reader.readRandomID("id") == id)
        #expect(digest.bytes + id.bytes == bytes)
        #expect(Digest(hexadecimal: digest.hexadecimal) == digest)
        #expect(RandomID(hexadecimal: id.hexadecimal) == id)
    }

    @Test func `a digest differs in every byte`() {
        let zeros = [UInt8](repeating: 0, count: 32)
        for index in zeros.indices {
            var other = zeros
            other[index] = 1
            #expect(Digest(other) != Digest(zeros))
        }
    }

    @Test(arguments: ["0", "0G", "AB", "é0", " 00", "0x", "00 "]) func `what is not lower-case hexadecimal is refused`(text: String) {
        #expect(Hexadecimal.decode(text) == nil)
    }

    @Test func `ids of another length are refused`() {
        #expect(Digest(hexadecimal: String(repeating: "0", count: 62)) == nil)
        #expect(RandomID(hexadecimal: String(repeating: "0", count: 64)) == nil)
        #expect(Hexadecimal.decode("") == [])
    }
}
