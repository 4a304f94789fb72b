import DiskImages
import Glibc
import Testing

struct ImageTargetTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func refusal(_ source: String, _ target: String) -> String {
        message { try ImageTarget.refuseIfSame(source: source, target: target) }
    }

    @Test func `a file under another name is the source itself`() throws {
        let path = try folder.sparseFile("a", byteCount: 1)
        #expect(unsafe symlink(path, folder.file("symbolic")) == 0)
        #expect(unsafe link(path, folder.file("hard")) == 0)
        for other in [path, folder.file("symbolic"), folder.file("hard"), folder.path + "/../" + folder.path.dropFirst(5) + "/a"] {
            #expect(refusal(path, other).contains("it is the source itself"), "\(other)")
        }
    }

    @Test func `another file, and one that does not exist, are no source`() throws {
        let path = try folder.sparseFile("a", byteCount: 1)
        #expect(refusal(path, try folder.sparseFile("b", byteCount: 1)) == "no error")
        #expect(refusal(path, folder.file("none")) == "no error")
    }

    @Test(.enabled(if: hasLoopDevices)) func `a loop device and its file are one, either way`() throws {
        let path = try folder.sparseFile("disk", byteCount: 1 << 20)
        let loop = try LoopDevice(path)
        #expect(refusal(path, loop.path).contains("a view of the source"))
        #expect(refusal(loop.path, path).contains("the source lies on it"))
        #expect(refusal(loop.path, loop.path).contains("the source itself"))
        let other = try LoopDevice(folder.sparseFile("other", byteCount: 1 << 20))
        #expect(refusal(loop.path, other.path) == "no error")
    }

    @Test(.enabled(if: hasLoopDevices)) func `another node of a device is the device`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 1 << 20))
        let numbers = try run(["stat", "-c", "%Hr %Lr", loop.path]).split(separator: " ").map(String.init)
        try run(["mknod", folder.file("node"), "b"] + numbers)
        #expect(refusal(loop.path, folder.file("node")).contains("the source itself"))
    }

    @Test(.enabled(if: hasLoopDevices)) func `a disk and its partitions are refused, two partitions are not`() throws {
        let path = try folder.sparseFile("disk", byteCount: 8 << 20)
        try run(["sh", "-c", "printf 'start=2048,size=2048\\nstart=4096,size=2048\\n' | sfdisk -q -X gpt \(path)"])
        let loop = try LoopDevice(path, options: ["--partscan"])
        let (first, second) = (try loop.partition(1), try loop.partition(2))
        #expect(refusal(loop.path, first).contains("a part or a view"))
        #expect(refusal(first, loop.path).contains("the source lies on it"))
        #expect(refusal(path, first).contains("a part or a view"))
        #expect(refusal(first, second) == "no error")
    }

    @Test(.enabled(if: hasLoopDevices)) func `the device below the source's file system is refused, the way back is not`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 8 << 20))
        try run(["mkfs.ext4", "-q", loop.path])
        let mount = try Mount(loop.path, at: folder.file("mounted"))
        let inside = mount.path + "/image"
        try run(["touch", inside])
        #expect(refusal(inside, loop.path).contains("the source lies on it"))
        #expect(refusal(loop.path, inside) == "no error")
    }

    @Test func `a path is inside a folder through any links, and not beside it`() throws {
        try run(["mkdir", "-p", folder.file("repository/packs"), folder.file("repository2")])
        #expect(unsafe symlink(folder.file("repository/packs"), folder.file("link")) == 0)
        let repository = folder.file("repository")
        #expect(try ImageTarget.isInside(repository, repository))
        #expect(try ImageTarget.isInside(repository + "/new", repository))
        #expect(try ImageTarget.isInside(folder.file("link/new"), repository))
        #expect(unsafe symlink(repository, folder.file("alias")) == 0)
        #expect(try ImageTarget.isInside(repository + "/new", folder.file("alias")))
        #expect(try ImageTarget.isInside(folder.file("link"), repository))
        #expect(try ImageTarget.isInside(repository + "/packs/../../repository/x", repository))
        #expect(try !ImageTarget.isInside(folder.file("repository2/new"), repository))
        #expect(try !ImageTarget.isInside(folder.file("new"), repository))
        #expect(try !ImageTarget.isInside(repository + "/../new", repository))
        #expect(try !ImageTarget.isInside(folder.file("new"), folder.file("none")))
    }
}
