import DiskImages
import Glibc
import ImageFixtures
import Testing

struct FileImageReaderTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func `a file reads as its bytes at any offset`() throws {
        let bytes = pattern(10_007)
        let reader = try FileImageReader(path: folder.sparseFile("a", byteCount: bytes.count, [(0, bytes)]))
        #expect(reader.byteCount == 10_007)
        #expect(try read(reader, 0, 10_007) == bytes)
        #expect(try read(reader, 4095, 513) == Array(bytes[4095..<4608]))
        #expect(try read(reader, 10_006, 1) == [bytes[10_006]])
        #expect(try read(reader, 10_007, 0) == [])
    }

    @Test func `an empty file is an image of no bytes`() throws {
        let reader = try FileImageReader(path: folder.sparseFile("empty", byteCount: 0))
        #expect(reader.byteCount == 0)
        #expect(try read(reader, 0, 0) == [])
    }

    @Test(arguments: [1, 511, 513, 4095, 4097, 1_048_577])
    func `a file of odd size is exact to the byte`(byteCount: Int) throws {
        let bytes = pattern(byteCount)
        let reader = try FileImageReader(path: folder.sparseFile("odd", byteCount: byteCount, [(0, bytes)]))
        #expect(reader.byteCount == UInt64(byteCount))
        #expect(try read(reader, 0, byteCount) == bytes)
        #expect(try extents(reader) == [ImageExtent(kind: .data, end: UInt64(byteCount))])
    }

    @Test func `holes are zero extents and read as zeros`() throws {
        let data = pattern(65536)
        let reader = try FileImageReader(path: folder.sparseFile("holes", byteCount: 10 << 20, [(1 << 20, data), (5 << 20, data)]))
        #expect(
            try extents(reader) == [
                ImageExtent(kind: .zero, end: 1 << 20), ImageExtent(kind: .data, end: 1 << 20 + 65536),
                ImageExtent(kind: .zero, end: 5 << 20), ImageExtent(kind: .data, end: 5 << 20 + 65536),
                ImageExtent(kind: .zero, end: 10 << 20),
            ])
        #expect(try read(reader, (1 << 20) - 2, 4) == [0, 0, data[0], data[1]])
        #expect(try reader.extent(at: 1 << 20 + 5) == ImageExtent(kind: .data, end: 1 << 20 + 65536))
    }

    @Test func `a file that is one hole has one zero extent`() throws {
        let reader = try FileImageReader(path: folder.sparseFile("hole", byteCount: 1 << 40))
        #expect(try extents(reader) == [ImageExtent(kind: .zero, end: 1 << 40)])
    }

    @Test func `a file that shrinks reads short and its lost tail is not zero`() throws {
        let bytes = pattern(100_000)
        let path = try folder.sparseFile("shrinks", byteCount: 300_000, [(0, bytes)])
        let reader = try FileImageReader(path: path)
        #expect(unsafe truncate(path, 50_001) == 0)
        #expect(reader.byteCount == 300_000)
        #expect(try reader.currentByteCount() == 50_001)
        #expect(try read(reader, 0, 300_000) == Array(bytes[..<50_001]))
        #expect(try read(reader, 60_000, 10) == [])
        #expect(try reader.extent(at: 60_000).kind == .data)
        #expect(try reader.extent(at: 200_000).kind == .data)
    }

    @Test func `a hole that a shrinking file still has ends where the file does`() throws {
        let path = try folder.sparseFile("shrinks", byteCount: 1 << 20)
        let reader = try FileImageReader(path: path)
        #expect(unsafe truncate(path, 1 << 19) == 0)
        #expect(try extents(reader) == [ImageExtent(kind: .zero, end: 1 << 19), ImageExtent(kind: .data, end: 1 << 20)])
    }

    @Test func `a file that grows keeps the size it had`() throws {
        let path = try folder.sparseFile("grows", byteCount: 5000, [(0, pattern(5000))])
        let reader = try FileImageReader(path: path)
        #expect(unsafe truncate(path, 9000) == 0)
        #expect(reader.byteCount == 5000)
        #expect(try reader.currentByteCount() == 9000)
        #expect(try extents(reader).last?.end == 5000)
    }

    @Test func `reading leaves no pages in the cache where the kernel can do that`() throws {
        let path = try folder.sparseFile("cold", byteCount: 8 << 20, [(0, pattern(8 << 20))])
        let descriptor = try openFile(path, O_RDONLY)
        defer { close(descriptor) }
        #expect(fsync(descriptor) == 0)
        #expect(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0)
        let reader = try FileImageReader(path: path)
        #expect(try read(reader, 0, 8 << 20) == pattern(8 << 20))
        // Linux 6.14 and later on ext4, XFS and btrfs; read-ahead may leave a little.
        guard try cachesNothing() else { return }
        #expect(try cachedPages(descriptor, 8 << 20) < 512)
    }

    @Test func `what is asked for early is in the cache afterwards`() throws {
        let path = try folder.sparseFile("early", byteCount: 1 << 20, [(0, pattern(1 << 20))])
        let descriptor = try openFile(path, O_RDONLY)
        defer { close(descriptor) }
        #expect(fsync(descriptor) == 0)
        #expect(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0)
        let reader = try FileImageReader(path: path)
        reader.prefetch(at: 0, byteCount: 131_072)
        reader.prefetch(at: 1 << 30, byteCount: 1)
        var triesLeft = 200
        while try cachedPages(descriptor, 131_072) == 0, triesLeft > 0 {
            usleep(10_000)
            triesLeft -= 1
        }
        #expect(triesLeft > 0)
    }

    @Test func `a file is known by its absolute path, and keeps the name of a link`() throws {
        let path = try folder.sparseFile("real", byteCount: 1)
        #expect(unsafe symlink(path, folder.file("link")) == 0)
        let identity = try FileImageReader(path: "\(folder.path)/./link").identity
        #expect(identity == SourceIdentity(kind: .file, imageName: folder.file("link"), path: folder.file("link")))
    }

    @Test func `what is no image is refused with the reason`() throws {
        #expect(throws: ImageError.notFound(path: folder.file("none"))) { try FileImageReader(path: folder.file("none")) }
        #expect(message { _ = try FileImageReader(path: folder.path) }.contains("it is a folder"))
        #expect(unsafe mkfifo(folder.file("pipe"), 0o600) == 0)
        #expect(message { _ = try FileImageReader(path: folder.file("pipe")) }.contains("neither a file nor a block device"))
        #expect(message { _ = try FileImageReader(path: "/dev/zero") }.contains("neither a file nor a block device"))
    }

    @Test(.enabled(if: hasLoopDevices)) func `a loop device reads as its file, all of it data`() throws {
        let bytes = pattern(1 << 20)
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 3 << 20, [(1 << 20, bytes)]))
        let reader = try FileImageReader(path: loop.path)
        #expect(reader.byteCount == 3 << 20)
        #expect(try reader.currentByteCount() == 3 << 20)
        #expect(try extents(reader) == [ImageExtent(kind: .data, end: 3 << 20)])
        #expect(try read(reader, (1 << 20) - 1, 100) == [0] + bytes[..<99])
        #expect(reader.identity.kind == .device)
        #expect(reader.identity.imageName == loop.path)
        #expect(reader.identity.logicalSectorByteCount == 512)
    }

    @Test(.enabled(if: hasLoopDevices)) func `a device with large sectors says so`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 1 << 20), options: ["--sector-size", "4096"])
        let identity = try FileImageReader(path: loop.path).identity
        #expect(identity.logicalSectorByteCount == 4096)
        #expect(identity.physicalSectorByteCount >= 4096)
    }

    @Test(.enabled(if: hasLoopDevices)) func `a mounted device can be read`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 8 << 20))
        try run(["mkfs.ext4", "-q", loop.path])
        let mount = try Mount(loop.path, at: folder.file("mounted"))
        let reader = try FileImageReader(path: loop.path)
        // The magic number of ext4's superblock (kernel: Documentation/filesystems/ext4/super.rst).
        #expect(try read(reader, 1024 + 0x38, 2) == [0x53, 0xef])
        withExtendedLifetime(mount) {}
    }

    @Test(.enabled(if: hasLoopDevices)) func `a device that fails is unreadable from there on, and readable before`() throws {
        let bytes = pattern(2 << 20)
        let path = try folder.sparseFile("disk", byteCount: bytes.count, [(0, bytes)])
        let loop = try LoopDevice(path)
        // The device keeps its size, and reads behind the file's end fail.
        #expect(unsafe truncate(path, 1 << 20) == 0)
        let reader = try FileImageReader(path: loop.path)
        #expect(reader.byteCount == 2 << 20)
        #expect(try read(reader, 0, 4096) == Array(bytes[..<4096]))
        #expect(throws: ImageError.unreadable(path: loop.path, offset: 1 << 20, reason: "Input/output error")) {
            try read(reader, 1 << 20, 4096)
        }
        var found = [UInt8](repeating: 0xee, count: 2 << 20)
        var span = found.mutableSpan
        let outcome = try UnreadableRangeScanner(sectorByteCount: 4096).read(from: reader, at: 0, into: &span)
        #expect(outcome.unreadable == [1 << 20..<2 << 20])
        #expect(found == bytes[..<(1 << 20)] + [UInt8](repeating: 0, count: 1 << 20))
    }

    @Test(.enabled(if: hasLoopDevices)) func `a good sector beside a bad one in the same page is read`() throws {
        let bytes = pattern(1 << 20)
        let path = try folder.sparseFile("disk", byteCount: bytes.count, [(0, bytes)])
        let loop = try LoopDevice(path)
        let end = (1 << 19) + 512
        #expect(unsafe truncate(path, end) == 0)
        let reader = try FileImageReader(path: loop.path)
        var found = [UInt8](repeating: 0xee, count: 65536)
        var span = found.mutableSpan
        let outcome = try UnreadableRangeScanner().read(from: reader, at: 1 << 19 - 32768, into: &span)
        #expect(outcome.unreadable == [UInt64(end)..<1 << 19 + 32768])
        #expect(found == bytes[(1 << 19) - 32768..<end] + [UInt8](repeating: 0, count: 32768 - 512))
    }

    @Test(.enabled(if: hasLoopDevices), arguments: ["ext4", "xfs", "btrfs"])
    func `holes are found on each file system that can be made here`(type: String) throws {
        guard exists("/usr/sbin/mkfs.\(type)") || exists("/sbin/mkfs.\(type)") else { return }
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 512 << 20))
        try run(["mkfs.\(type)", "-q", loop.path])
        let mount = try Mount(loop.path, at: folder.file("mounted"))
        let data = pattern(65536)
        let image = try folder.sparseFile("mounted/image", byteCount: 3 << 20, [(1 << 20, data)])
        let found = try extents(FileImageReader(path: image))
        #expect(
            found == [
                ImageExtent(kind: .zero, end: 1 << 20), ImageExtent(kind: .data, end: 1 << 20 + 65536),
                ImageExtent(kind: .zero, end: 3 << 20),
            ])
        withExtendedLifetime(mount) {}
    }

    @Test(.enabled(if: hasLoopDevices)) func `a partition is named after its disk and number`() throws {
        let path = try folder.sparseFile("disk", byteCount: 8 << 20)
        try run(["sh", "-c", "echo 'start=2048,size=4096' | sfdisk -q -X gpt \(path)"])
        let loop = try LoopDevice(path, options: ["--partscan"])
        let reader = try FileImageReader(path: loop.partition(1))
        #expect(reader.byteCount == 4096 * 512)
        #expect(reader.identity.imageName == loop.path + "p1")
    }

    /// Whether this kernel and file system have uncached reads.
    private func cachesNothing() throws -> Bool {
        let release = try run(["uname", "-r"]).split(separator: ".").prefix(2).compactMap { Int($0) }
        let type = try run(["stat", "-f", "-c", "%T", folder.path])
        return release.count == 2 && (release[0], release[1]) >= (6, 14) && ["ext2/ext3", "xfs", "btrfs"].contains(type)
    }

    private func cachedPages(_ descriptor: Int32, _ byteCount: Int) throws -> Int {
        guard let memory = unsafe mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0), unsafe memory != MAP_FAILED else {
            throw TestFailure("mmap: \(errno)")
        }
        defer { unsafe munmap(memory, byteCount) }
        var pages = [UInt8](repeating: 0, count: byteCount / 4096)
        guard unsafe mincore(memory, byteCount, &pages) == 0 else { throw TestFailure("mincore: \(errno)") }
        return pages.count { $0 & 1 == 1 }
    }
}
