import DiskImages
import Glibc
import Testing

struct MountedFileSystemTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func mounted(_ name: String, _ type: String = "ext4", in place: String? = nil) throws -> (Mount, LoopDevice) {
        let path = "\(place ?? folder.path)/\(name).img"
        try run(["truncate", "-s", type == "btrfs" ? "128M" : "16M", path])
        try run(["mkfs.\(type)", "-q", path])
        let loop = try LoopDevice(path)
        return (try Mount(loop.path, at: folder.file(name)), loop)
    }

    @Test func `what does not exist yet lies where its folder does`() throws {
        let here = try #require(try MountedFileSystem.holding(folder.path))
        #expect(try MountedFileSystem.holding(folder.file("none/yet")) == here)
        #expect(try MountedFileSystem.holding("none/yet") == MountedFileSystem.holding("."))
    }

    @Test func `a pipe lies nowhere, an open file where its path does`() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        #expect(try MountedFileSystem.holding(descriptor: ends[0]) == nil)
        let file = try openFile(folder.file("a"), O_RDWR | O_CREAT)
        defer { close(file) }
        #expect(try MountedFileSystem.holding(descriptor: file) == MountedFileSystem.holding(folder.path))
    }

    @Test(.enabled(if: hasLoopDevices)) func `a mount point is known, a folder is none`() throws {
        let (mount, loop) = try mounted("a")
        let found = try MountedFileSystem(mountPoint: mount.path + "/.")
        #expect(found.mountPoint == mount.path && !found.isReadOnly)
        #expect(try MountedFileSystem.on(loop.path) == [found])
        #expect(try MountedFileSystem.on(folder.file("a.img")) == [found])
        try run(["mkdir", mount.path + "/b"])
        #expect(message { _ = try MountedFileSystem(mountPoint: mount.path + "/b") }.contains("it lies on what is mounted at \(mount.path)"))
        try run(["mount", "-o", "remount,ro", mount.path])
        #expect(try MountedFileSystem(mountPoint: mount.path).isReadOnly)
    }

    @Test(.enabled(if: hasLoopDevices)) func `a file system carries what lies on a loop device of a file in it`() throws {
        let (outer, outerLoop) = try mounted("outer", "btrfs")
        let (inner, innerLoop) = try mounted("inner", in: outer.path)
        let (below, above) = (try MountedFileSystem(mountPoint: outer.path), try MountedFileSystem(mountPoint: inner.path))
        #expect(try below.carries(above) && below.carries(below))
        #expect(try !above.carries(below))
        withExtendedLifetime((outerLoop, innerLoop)) {}
    }

    @Test(.enabled(if: hasLoopDevices)) func `all devices of a btrfs are its own`() throws {
        for name in ["a.img", "b.img"] { try run(["truncate", "-s", "128M", folder.file(name)]) }
        let (first, second) = (try LoopDevice(folder.file("a.img")), try LoopDevice(folder.file("b.img")))
        try run(["mkfs.btrfs", "-q", first.path, second.path])
        try run(["btrfs", "device", "scan", first.path, second.path])
        let mount = try Mount(first.path, at: folder.file("mounted"))
        let found = try MountedFileSystem(mountPoint: mount.path)
        for path in [first.path, second.path, folder.file("b.img")] { #expect(try MountedFileSystem.on(path) == [found], "\(path)") }
    }
}
