import Bytes
import DiskImages
import Glibc
import Testing

struct FileImageWriterTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func `a new file is private, sparse and as long as the image`() throws {
        let writer = try FileImageWriter(path: folder.file("new"), allowExisting: false)
        #expect(writer.isBlank)
        #expect(!writer.isOrdered)
        try writer.prepare(byteCount: (1 << 30) + 13)
        try writer.write(pattern(5000).span, at: 1 << 20)
        try writer.writeZeros(at: 1 << 25, byteCount: 1 << 28)
        try writer.finish()
        #expect(try readBack(writer, (1 << 20) - 1, 5002) == [0] + pattern(5000) + [0])
        #expect(try run(["stat", "-c", "%a %s", folder.file("new")]) == "600 \((1 << 30) + 13)")
        let blocks = try Int(run(["stat", "-c", "%b", folder.file("new")])) ?? .max
        #expect(blocks * 512 < 1 << 20)
    }

    @Test(arguments: [0, 1, 511, 4097]) func `small and odd sizes are exact`(byteCount: Int) throws {
        let writer = try FileImageWriter(path: folder.file("odd"), allowExisting: false)
        try writer.prepare(byteCount: UInt64(byteCount))
        try writer.write(pattern(byteCount).span, at: 0)
        try writer.finish()
        #expect(try contents(of: folder.file("odd")) == pattern(byteCount))
    }

    @Test(arguments: [100, 50_000, 200_000]) func `an existing file becomes exactly the image`(before: Int) throws {
        let path = try folder.sparseFile("old", byteCount: before, [(0, pattern(before, 7))])
        let writer = try FileImageWriter(path: path, allowExisting: true)
        #expect(!writer.isBlank)
        try writer.prepare(byteCount: 50_001)
        try writer.write(pattern(10_000).span, at: 0)
        try writer.writeZeros(at: 10_000, byteCount: 30_001)
        try writer.write(pattern(10_000).span, at: 40_001)
        try writer.finish()
        #expect(try contents(of: path) == pattern(10_000) + [UInt8](repeating: 0, count: 30_001) + pattern(10_000))
    }

    @Test func `zeros become holes in what was data`() throws {
        let path = try folder.sparseFile("old", byteCount: 1 << 20, [(0, pattern(1 << 20))])
        let writer = try FileImageWriter(path: path, allowExisting: true)
        try writer.prepare(byteCount: 1 << 20)
        try writer.writeZeros(at: 0, byteCount: 1 << 20)
        try writer.finish()
        #expect(try contents(of: path) == [UInt8](repeating: 0, count: 1 << 20))
        #expect(try Int(run(["stat", "-c", "%b", path])) ?? .max < 64)
    }

    @Test func `a new file has its name only when it is whole`() throws {
        let path = folder.file("new")
        let writer = try FileImageWriter(path: path, allowExisting: false)
        try writer.prepare(byteCount: 5000)
        try writer.write(pattern(5000).span, at: 0)
        #expect(unsafe access(path, F_OK) != 0)
        #expect(try contents(of: path + ".incomplete") == pattern(5000))
        // Somebody else who restores to the same place is told, and destroys nothing.
        #expect(message { _ = try FileImageWriter(path: path, allowExisting: false) }.contains("in use"))
        try writer.finish()
        #expect(try contents(of: path) == pattern(5000))
        #expect(unsafe access(path + ".incomplete", F_OK) != 0)
    }

    @Test func `what a killed restore left is taken over`() throws {
        let left = try folder.sparseFile("new.incomplete", byteCount: 1 << 20, [(0, pattern(100_000, 3))])
        #expect(unsafe chmod(left, 0o600) == 0)
        let writer = try FileImageWriter(path: folder.file("new"), allowExisting: false)
        #expect(writer.isBlank)
        try writer.prepare(byteCount: 5000)
        try writer.finish()
        #expect(try contents(of: folder.file("new")) == [UInt8](repeating: 0, count: 5000))
    }

    @Test(arguments: [mode_t(0o644), 0o600]) func `a file that only has the name of a leftover is not touched`(mode: mode_t) throws {
        let path = try folder.sparseFile("new.incomplete", byteCount: 100, [(0, pattern(100, 3))])
        #expect(unsafe chmod(path, mode) == 0)
        if mode == 0o600 { #expect(unsafe link(path, folder.file("another name")) == 0) }
        #expect(message { _ = try FileImageWriter(path: folder.file("new"), allowExisting: false) }.contains(path))
        #expect(try contents(of: path) == pattern(100, 3))
    }

    @Test func `a name that is taken meanwhile is not replaced, and the image is kept`() throws {
        let path = folder.file("new")
        let writer = try FileImageWriter(path: path, allowExisting: false)
        try writer.prepare(byteCount: 100)
        try writer.write(pattern(100).span, at: 0)
        _ = try folder.sparseFile("new", byteCount: 10, [(0, pattern(10, 5))])
        #expect(message { try writer.finish() }.contains(path + ".incomplete"))
        try writer.discardIncomplete()
        #expect(try contents(of: path) == pattern(10, 5))
        #expect(try contents(of: path + ".incomplete") == pattern(100))
    }

    @Test func `a name with no room for more is used at once`() throws {
        let path = folder.file(String(repeating: "n", count: 250))
        let writer = try FileImageWriter(path: path, allowExisting: false)
        try writer.prepare(byteCount: 100)
        try writer.finish()
        #expect(try contents(of: path) == [UInt8](repeating: 0, count: 100))
    }

    /// Whole blocks go past the page cache, the rest does not; the file must not tell.
    @Test(arguments: [(0, 4096), (0, 1 << 20), (4096, 12_289), (1, 8192), (511, 70_000), (8192, 4095)])
    func `any place and length is written exactly`(offset: Int, byteCount: Int) throws {
        let buffer = AlignedBuffer(byteCapacity: byteCount)
        let bytes = pattern(byteCount)
        unsafe bytes.withUnsafeBytes { unsafe buffer.base.copyMemory(from: $0.baseAddress!, byteCount: byteCount) }
        let writer = try FileImageWriter(path: folder.file("new"), allowExisting: false)
        try writer.prepare(byteCount: UInt64(offset + byteCount + 10))
        try buffer.withBytes(byteCount: byteCount) { bytes throws(ImageError) in try writer.write(bytes, at: UInt64(offset)) }
        try writer.finish()
        #expect(try contents(of: folder.file("new")) == [UInt8](repeating: 0, count: offset) + bytes + [UInt8](repeating: 0, count: 10))
    }

    @Test func `an empty existing file is blank`() throws {
        #expect(try FileImageWriter(path: folder.sparseFile("empty", byteCount: 0), allowExisting: true).isBlank)
    }

    @Test func `an existing file is refused unless allowed, and stays`() throws {
        let path = try folder.sparseFile("old", byteCount: 10, [(0, pattern(10))])
        #expect(message { _ = try FileImageWriter(path: path, allowExisting: false) }.contains("exists already"))
        #expect(try contents(of: path) == pattern(10))
    }

    @Test func `what is no file is refused`() throws {
        #expect(message { _ = try FileImageWriter(path: folder.path, allowExisting: true) }.contains("not a regular file"))
        #expect(unsafe symlink(folder.file("nothing"), folder.file("link")) == 0)
        #expect(message { _ = try FileImageWriter(path: folder.file("link"), allowExisting: true) }.contains("a link to nothing"))
        #expect(throws: ImageError.notFound(path: folder.file("none/file"))) {
            try FileImageWriter(path: folder.file("none/file"), allowExisting: false)
        }
    }

    @Test func `an incomplete new file is removed, and nothing else ever is`() throws {
        let new = try FileImageWriter(path: folder.file("new"), allowExisting: false)
        try new.discardIncomplete()
        #expect(!exists(folder.file("new")))
        try new.discardIncomplete()

        let old = try FileImageWriter(path: folder.sparseFile("old", byteCount: 1), allowExisting: true)
        try old.discardIncomplete()
        #expect(exists(folder.file("old")))

        let done = try FileImageWriter(path: folder.file("done"), allowExisting: false)
        try done.finish()
        try done.discardIncomplete()
        #expect(exists(folder.file("done")))

        let replaced = try FileImageWriter(path: folder.file("replaced"), allowExisting: false)
        _ = try folder.sparseFile("other", byteCount: 1)
        #expect(unsafe rename(folder.file("other"), folder.file("replaced")) == 0)
        try replaced.discardIncomplete()
        #expect(exists(folder.file("replaced")))
    }

    @Test(.enabled(if: isRoot)) func `a full file system is reported as full`() throws {
        let mount = try Mount("none", at: folder.file("small"), options: ["-t", "tmpfs", "-o", "size=1m"])
        let path = mount.path + "/image"
        let writer = try FileImageWriter(path: path, allowExisting: false)
        try writer.prepare(byteCount: 4 << 20)
        #expect(throws: ImageError.full(path: path)) { try writer.write(pattern(4 << 20).span, at: 0) }
        try writer.discardIncomplete()
        #expect(try run(["ls", mount.path]) == "")
    }

    @Test(.enabled(if: isRoot)) func `a file system without holes gets zeros`() throws {
        let mount = try Mount("none", at: folder.file("memory"), options: ["-t", "ramfs"])
        let path = mount.path + "/image"
        let writer = try FileImageWriter(path: path, allowExisting: false)
        try writer.prepare(byteCount: 3 << 20)
        try writer.write(pattern(3 << 20).span, at: 0)
        try writer.writeZeros(at: 1000, byteCount: 2 << 20)
        try writer.finish()
        let expected = pattern(1000) + [UInt8](repeating: 0, count: 2 << 20) + pattern((1 << 20) - 1000, (2 << 20) + 1000)
        #expect(try contents(of: path) == expected)
        // Nor has it uncached reads, or extents.
        let reader = try FileImageReader(path: path)
        #expect(try extents(reader) == [ImageExtent(kind: .data, end: 3 << 20)])
        #expect(try read(reader, 0, 3 << 20) == expected)
    }
}
