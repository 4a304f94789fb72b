@testable import DiskImages
import Glibc
import Testing

@Suite(.enabled(if: hasLoopDevices))
struct DeviceImageWriterTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func `a device holds what was written, and keeps what lies behind the image`() throws {
        let bytes = pattern(2 << 20)
        let path = try folder.sparseFile("disk", byteCount: 4 << 20, [(0, pattern(4 << 20, 5))])
        let loop = try LoopDevice(path)
        let writer = try DeviceImageWriter(path: loop.path)
        #expect(writer.byteCount == 4 << 20)
        #expect(!writer.isBlank)
        try writer.prepare(byteCount: 2 << 20)
        try writer.write(bytes.span, at: 0)
        try writer.finish()
        #expect(try readBack(writer, 0, 2 << 20) == bytes)
        #expect(try contents(of: path) == bytes + pattern(2 << 20, (2 << 20) + 5))
    }

    @Test(arguments: [(0, 1 << 20), (513, 100), (4095, 4098), (4096, 8192), (1000, 1_000_000)])
    func `zeros are exact to the byte`(offset: Int, byteCount: Int) throws {
        let bytes = pattern(2 << 20)
        let path = try folder.sparseFile("disk", byteCount: bytes.count, [(0, bytes)])
        let loop = try LoopDevice(path)
        let writer = try DeviceImageWriter(path: loop.path)
        try writer.writeZeros(at: UInt64(offset), byteCount: UInt64(byteCount))
        try writer.finish()
        var expected = bytes
        expected.replaceSubrange(offset..<offset + byteCount, with: repeatElement(0, count: byteCount))
        #expect(try readBack(writer, 0, bytes.count) == expected)
        #expect(try contents(of: path) == expected)
    }

    @Test func `a device that is too small is refused before anything is written`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 1 << 20))
        let writer = try DeviceImageWriter(path: loop.path)
        #expect(throws: ImageError.tooSmall(path: loop.path, byteCount: 1 << 20, needed: 1 << 20 + 1)) {
            try writer.prepare(byteCount: 1 << 20 + 1)
        }
        #expect(throws: ImageError.tooSmall(path: loop.path, byteCount: 1 << 20, needed: 1 << 20 + 10)) {
            try writer.write(pattern(20).span, at: 1 << 20 - 10)
        }
        try writer.prepare(byteCount: 1 << 20)
    }

    @Test func `a mounted device is refused with its mount point`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 8 << 20))
        try run(["mkfs.ext4", "-q", loop.path])
        let mount = try Mount(loop.path, at: folder.file("mounted here"))
        #expect(throws: ImageError.inUse(path: loop.path, reason: "mounted at \(mount.path)")) {
            try DeviceImageWriter(path: loop.path)
        }
    }

    @Test func `a disk with a mounted partition is refused with both`() throws {
        let path = try folder.sparseFile("disk", byteCount: 16 << 20)
        try run(["sh", "-c", "echo 'start=2048,size=20480' | sfdisk -q -X gpt \(path)"])
        let loop = try LoopDevice(path, options: ["--partscan"])
        let partition = try loop.partition(1)
        try run(["mkfs.ext4", "-q", partition])
        let mount = try Mount(partition, at: folder.file("mounted"))
        let text = message { _ = try DeviceImageWriter(path: loop.path) }
        #expect(text.contains("its partition") && text.contains(mount.path), "\(text)")
    }

    @Test func `a device below a loop device is refused with its name`() throws {
        let lower = try LoopDevice(folder.sparseFile("disk", byteCount: 4 << 20))
        let upper = try LoopDevice(lower.path)
        #expect(throws: ImageError.inUse(path: lower.path, reason: "behind \(upper.path)")) { try DeviceImageWriter(path: lower.path) }
        withExtendedLifetime(upper) {}
    }

    @Test func `swap space is refused`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 4 << 20, [(0, [UInt8](repeating: 0, count: 4 << 20))]))
        try run(["mkswap", loop.path])
        guard (try? run(["swapon", loop.path])) != nil else { return }
        defer { _ = try? run(["swapoff", loop.path]) }
        #expect(throws: ImageError.inUse(path: loop.path, reason: "used as swap space")) { try DeviceImageWriter(path: loop.path) }
    }

    @Test func `a claimed device is refused, and free again when its holder is gone`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 1 << 20))
        var writer: DeviceImageWriter? = try DeviceImageWriter(path: loop.path)
        #expect(writer?.byteCount == 1 << 20)
        #expect(message { _ = try DeviceImageWriter(path: loop.path) }.contains("claimed"))
        writer = nil
        _ = try DeviceImageWriter(path: loop.path)
    }

    @Test func `a read-only device and what is no device are refused`() throws {
        let path = try folder.sparseFile("disk", byteCount: 1 << 20)
        let loop = try LoopDevice(path, options: ["--read-only"])
        #expect(message { _ = try DeviceImageWriter(path: loop.path) }.contains("read-only"))
        #expect(message { _ = try DeviceImageWriter(path: path) }.contains("not a block device"))
        #expect(throws: ImageError.notFound(path: folder.file("none"))) { try DeviceImageWriter(path: folder.file("none")) }
    }
}
