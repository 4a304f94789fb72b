import DiskImages
import Testing

struct ChangeMapTests {
    private func map(_ extents: [(ChangeMap.Kind, UInt64)], extentCountMax: Int = 1 << 22) -> ChangeMap {
        var map = ChangeMap(extentCountMax: extentCountMax)
        for (kind, byteCount) in extents { map.append(kind, byteCount: byteCount) }
        return map
    }

    @Test func `neighbours of one kind are joined, and ranges are found by place`() {
        let map = map([(.same, 10), (.same, 20), (.data, 5), (.zero, 1), (.same, 4)])
        #expect(map.extents == [.init(kind: .same, end: 30), .init(kind: .data, end: 35), .init(kind: .zero, end: 36), .init(kind: .same, end: 40)])
        #expect(map.byteCount == 40 && map.extent(at: 0).end == 30 && map.extent(at: 30).kind == .data && map.extent(at: 39).kind == .same)
        #expect(map.isSame(0..<30) && map.isSame(36..<40) && !map.isSame(29..<31) && !map.isSame(36..<41) && !map.isSame(5..<5))
        #expect(map.ranges(of: .same) == [0..<30, 36..<40] && map.ranges(of: .zero) == [35..<36])
    }

    @Test func `a map with too many ranges says less, and nothing wrong`() {
        let map = map((0..<1000).map { ($0 % 2 == 0 ? .data : .same, $0 % 10 == 1 ? 1 << 20 : 4096) }, extentCountMax: 300)
        #expect(map.extents.count <= 300 && map.byteCount == 900 * 4096 + 100 << 20 && map.ranges(of: .same).count { $0.count == 1 << 20 } == 100)
    }

    @Test func `a file as borg reads it, with its identity in comments, is decoded`() throws {
        let text = """
            # made by a script
            # source: vg0/root
            # from: 17
            # to:  18

            0 65536 data
            0x10000\t0x1000 same  # nothing here
              69632 4096 zero
            """
        let file = try ChangeMapFile(Array(text.utf8))
        #expect(file.source == "vg0/root" && file.from == "17" && file.to == "18")
        #expect(file.map == map([(.data, 65536), (.same, 4096), (.zero, 4096)]))
        #expect(try ChangeMapFile([UInt8]()).map.byteCount == 0)
    }

    @Test(arguments: [
        ("0 10 data\n20 10 data", 2), ("0 10 data\n5 10 same", 2), ("1 10 data", 1), ("\n\n0 10", 3), ("0 10 dirty", 1), ("0 0 data", 1), ("0 -5 data", 1), ("+0 5 data", 1),
        ("0 10 data\n10 5 sam", 2), ("0 0x data", 1), ("0 18446744073709551615 data", 1), ("0 10 data extra", 1), ("a b c", 1),
    ]) func `what is no range is told with its line`(text: String, line: Int) {
        #expect { try ChangeMapFile(Array(text.utf8)) } throws: { ($0 as? ChangeMapFileError)?.line == line }
        #expect(throws: ChangeMapFileError.self) { try ChangeMapFile([0x30, 0xFF, 0x0A]) }
        #expect(throws: ChangeMapFileError.self) { try ChangeMapFile([UInt8](repeating: 0x20, count: 5000)) }
    }
}
