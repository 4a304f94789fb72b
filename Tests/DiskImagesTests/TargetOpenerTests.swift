import DiskImages
import Glibc
import Testing

struct TargetOpenerTests {
    let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    @Test func `a new file and an empty one need no permission`() throws {
        #expect(try TargetOpener(overwrite: false).open(path: folder.file("new")).isBlank)
        #expect(try TargetOpener(overwrite: false).open(path: folder.sparseFile("empty", byteCount: 0)).isBlank)
    }

    @Test func `what an opened target left behind can be discarded`() throws {
        let target = try TargetOpener(overwrite: false).open(path: folder.file("new"))
        try target.discardIncomplete()
        #expect(!exists(folder.file("new")))
    }

    @Test func `a file that holds something needs permission`() throws {
        let path = try folder.sparseFile("old", byteCount: 1)
        #expect(message { _ = try TargetOpener(overwrite: false).open(path: path) }.contains("only on request"))
        #expect(try !TargetOpener(overwrite: true).open(path: path).isBlank)
    }

    @Test(.enabled(if: hasLoopDevices)) func `a device needs permission`() throws {
        let loop = try LoopDevice(folder.sparseFile("disk", byteCount: 1 << 20))
        #expect(message { _ = try TargetOpener(overwrite: false).open(path: loop.path) }.contains("everything on it would be lost"))
        #expect(try TargetOpener(overwrite: true).open(path: loop.path) is DeviceImageWriter)
    }

    @Test func `folders and character devices are refused`() {
        #expect(message { _ = try TargetOpener(overwrite: true).open(path: folder.path) }.contains("it is a folder"))
        #expect(message { _ = try TargetOpener(overwrite: true).open(path: "/dev/null") }.contains("neither"))
    }
}
