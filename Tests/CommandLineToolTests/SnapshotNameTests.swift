import Testing

@testable import CommandLineTool

@Suite struct SnapshotNameTests {
    @Test(arguments: [
        ("latest", .latest(host: nil), nil), ("latest:tower", .latest(host: "tower"), nil), ("latest:tower:sda", .latest(host: "tower"), "sda"),
        ("latest::/dev/sda", .latest(host: nil), "/dev/sda"), ("latest:tower:a:b", .latest(host: "tower"), "a:b"),
        ("5f0c", .prefix("5f0c"), nil), ("5F0C", .prefix("5f0c"), nil), ("5f0c:sda", .prefix("5f0c"), "sda"),
        ("5f0c:/srv/a:b.img", .prefix("5f0c"), "/srv/a:b.img"), ("0123456789abcdef0123456789abcdef", .prefix("0123456789abcdef0123456789abcdef"), nil),
    ] as [(String, SnapshotName.Snapshot, String?)])
    func `a snapshot and its image are told apart at the first colons`(text: String, snapshot: SnapshotName.Snapshot, image: String?) throws {
        let name = try SnapshotName(parsing: text)
        #expect(name.snapshot == snapshot)
        #expect(name.image == image)
    }

    @Test(arguments: ["", ":", "latest:", "latest::", "latest:tower:", "Latest", "tower", "5f0g", "5f0c:", "0123456789abcdef0123456789abcdef0", "../x"])
    func `what names nothing is wrong usage`(text: String) {
        #expect(performing: { try SnapshotName(parsing: text) }, throws: { ($0 as? Failure)?.status == .usage })
    }
}
