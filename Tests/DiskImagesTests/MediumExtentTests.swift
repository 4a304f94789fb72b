import Testing

@testable import DiskImages

@Suite
struct MediumExtentTests {
    private let file = Medium.file(fileSystem: DeviceNumber(major: 8, minor: 1), inode: 12)
    private let other = Medium.file(fileSystem: DeviceNumber(major: 8, minor: 1), inode: 13)

    @Test func `ranges of one medium overlap where they share a byte, and those of two never do`() {
        let extent = MediumExtent(medium: file, range: 4096..<8192)
        #expect(extent.overlaps(MediumExtent(medium: file, range: 8191..<9000)))
        #expect(!extent.overlaps(MediumExtent(medium: file, range: 8192..<9000)))
        #expect(!extent.overlaps(MediumExtent(medium: file, range: 0..<4096)))
        #expect(!extent.overlaps(MediumExtent(medium: other, range: 4096..<8192)))
    }

    @Test func `a file overlaps itself and no other`() throws {
        #expect(try file.overlaps(file))
        #expect(try !file.overlaps(other))
    }
}
