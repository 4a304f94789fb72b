import Testing

@testable import CommandLineTool

@Suite struct TextTests {
    @Test func `columns are as wide as their widest cell`() {
        var table = Table([("NAME", .left), ("SIZE", .right), ("TAGS", .left)])
        table.add(["a", "1KiB", ""])
        table.add(["longer", "12KiB", "x"])
        #expect(table.lines == ["NAME     SIZE  TAGS", "a        1KiB", "longer  12KiB  x"])
    }

    @Test func `control characters from a manifest do not reach the terminal`() {
        var table = Table([("HOST", .left)])
        table.add(["a\u{1B}[2Jb\u{9B}\u{202E}"])
        #expect(table.lines == ["HOST", "a\u{FFFD}[2Jb\u{FFFD}\u{FFFD}"])
        #expect(Printable.text("ümlaut – fine") == "ümlaut – fine")
    }

    @Test(arguments: [(0, "0:00"), (7, "0:07"), (754, "12:34"), (3723, "1:02:03"), (360_000, "100:00:00")] as [(UInt64, String)])
    func `lengths of time look like a clock`(seconds: UInt64, text: String) {
        #expect(DurationText.of(seconds: seconds) == text)
    }

    @Test func `one is not counted as several`() {
        #expect([0, 1, 2].map { CountText.of($0, "pack") } == ["0 packs", "1 pack", "2 packs"])
    }

    @Test func `times of manifests lose what nobody reads`() {
        #expect(TimeText.short("2026-03-01T12:00:05Z") == "2026-03-01 12:00:05")
        #expect(TimeText.short("2026-03-01T12:00:05.123Z") == "2026-03-01 12:00:05")
        #expect(TimeText.short("1970") == "1970")
    }

    @Test func `recovery words stand in numbered columns`() {
        let words = (1...24).map { $0 == 2 ? "abandon" : "zoo" }
        let lines = RecoveryKeyPrinter.columns(words)
        #expect(lines.count == 6)
        #expect(lines[0] == "   1 zoo        2 abandon    3 zoo        4 zoo")
        #expect(lines[5] == "  21 zoo       22 zoo       23 zoo       24 zoo")
    }
}
