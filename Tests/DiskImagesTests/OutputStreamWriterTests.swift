import DiskImages
import Glibc
import Testing

struct OutputStreamWriterTests {
    @Test func `data and zeros come out in order`() throws {
        let folder = try TemporaryFolder()
        let descriptor = try openFile(folder.file("out"), O_WRONLY | O_CREAT)
        defer { close(descriptor) }
        let writer = OutputStreamWriter(descriptor: descriptor)
        #expect(writer.isOrdered && !writer.isBlank)
        try writer.prepare(byteCount: 3_000_020)
        try writer.write(pattern(10).span, at: 0)
        try writer.writeZeros(at: 10, byteCount: 3_000_000)
        try writer.write(pattern(10).span, at: 3_000_010)
        try writer.finish()
        #expect(try contents(of: folder.file("out")) == pattern(10) + [UInt8](repeating: 0, count: 3_000_000) + pattern(10))
    }

    @Test func `a reader that went away is an error, not the end of the program`() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        let writer = OutputStreamWriter(descriptor: ends[1])
        let text = message { try writer.write(pattern(10).span, at: 0) }
        #expect(text.contains("stopped reading"))
    }

    @Test func `a pipe needs no syncing and cannot be read back`() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        defer { close(ends[0]); close(ends[1]) }
        let writer = OutputStreamWriter(descriptor: ends[1])
        try writer.write(pattern(10).span, at: 0)
        try writer.finish()
        #expect(message { _ = try readBack(writer, 0, 1) }.contains("cannot be read back"))
    }
}
