import Testing

@testable import Chunking

struct ChunkerParametersTests {
    @Test(arguments: [16, 32, 64, 128, 256, 512, 1024])
    func `minimum, maximum and threshold follow from the average`(kibibytes: Int) throws {
        let average = kibibytes * 1024
        let parameters = try ChunkerParameters(averageByteCount: average)
        #expect(parameters.minimumByteCount == average / 2)
        #expect(parameters.maximumByteCount == average * 4)
        #expect(parameters.threshold == UInt64(average / 2).dividingFullWidth((1, 0)).quotient)
    }

    @Test(arguments: [Int.min, -32768, 0, 1, 8192, 16383, 16385, 32767, 49152, (1 << 20) + 1, 2 << 20, Int.max])
    func `any other average is refused`(byteCount: Int) {
        #expect(throws: ChunkerError.averageOutOfBounds(byteCount)) { try ChunkerParameters(averageByteCount: byteCount) }
    }

    @Test func `the standard is 32 KiB and could be chosen`() throws {
        #expect(try ChunkerParameters(averageByteCount: 32 * 1024) == .standard)
    }

    @Test func `a table's words are little-endian`() {
        var bytes = [UInt8](repeating: 0, count: GearTable.byteCount)
        bytes.replaceSubrange(8..<16, with: [1, 2, 3, 4, 5, 6, 7, 8])
        bytes[2047] = 0x80
        let table = GearTable(bytes.span)
        #expect(table.words[0] == 0)
        #expect(table.words[1] == 0x0807_0605_0403_0201)
        #expect(table.words[255] == 1 << 63)
    }
}
