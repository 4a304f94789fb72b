import Testing

@testable import CommandLineTool

@Suite struct ByteTextTests {
    @Test(arguments: [
        (0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1536, "1.5KiB"), (65536, "64KiB"), (1_610_612_736, "1.5GiB"), (1 << 40, "1TiB"),
        (1 << 50, "1PiB"), (1_048_575, "1MiB"), (1_047_552, "1023KiB"), (UInt64.max, "16EiB"),
    ] as [(UInt64, String)])
    func `a size is shown in its unit with at most one digit after the point`(byteCount: UInt64, text: String) {
        #expect(ByteText.of(byteCount) == text)
    }

    @Test(arguments: [
        ("0", 0), ("4096", 4096), ("4096B", 4096), ("64KiB", 65536), ("1.5GiB", 1_610_612_736), ("0.5KiB", 512), ("8192PiB", nil),
        ("", nil), ("KiB", nil), ("64 KiB", nil), ("64kib", nil), ("64K", 65536), ("1.5T", 1_649_267_441_664), ("2G", 1 << 31), ("64k", nil), ("64KB", nil), ("2Gi", nil), ("3.2GiB", nil), ("-1", nil), ("+1", nil), ("1.", nil), (".5KiB", nil),
        ("1.5", nil), ("1.2.3KiB", nil), ("0.3B", nil), ("0.0000001EiB", nil), ("99999999999999999999", nil), ("1e3", nil), ("٣KiB", nil), ("16EiB", nil),
    ] as [(String, UInt64?)])
    func `only exact sizes in known units are accepted`(text: String, byteCount: UInt64?) {
        #expect(ByteText.parse(text) == byteCount)
    }

    @Test func `what is shown without a point is read back the same`() {
        for shift in 0..<62 {
            let byteCount = UInt64(1) << UInt64(shift)
            #expect(ByteText.parse(ByteText.of(byteCount)) == byteCount)
        }
    }
}
