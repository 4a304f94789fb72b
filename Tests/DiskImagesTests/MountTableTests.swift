@testable import DiskImages
import Testing

struct MountTableTests {
    @Test func `mountinfo is parsed with and without optional fields`() {
        let table = MountTable(
            parsing: """
                36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
                42 27 7:0 / /mnt/with\\040space\\134 rw - btrfs /dev/sd\\011a ro,space_cache
                nonsense
                1 2 x:0 / / rw - ext4 /dev/a rw
                """)
        #expect(
            table.entries == [
                MountTable.Entry(id: 36, device: DeviceNumber(major: 98, minor: 0), mountPoint: "/mnt2", source: "/dev/root", isReadOnly: false),
                MountTable.Entry(id: 42, device: DeviceNumber(major: 7, minor: 0), mountPoint: "/mnt/with space\\", source: "/dev/sd\ta", isReadOnly: true),
            ])
    }

    @Test func `a backslash that begins no number stays`() {
        #expect(MountTable.unescaped("a\\b\\0") == "a\\b\\0")
        #expect(MountTable.unescaped("\\777x") == "\\777x")
    }
}
