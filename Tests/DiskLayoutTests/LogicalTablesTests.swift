import Testing

@testable import DiskLayout

struct LogicalTablesTests {
    private func label(_ extended: Range<UInt64>, _ logicals: Range<UInt64>...) -> DiskLabel {
        func bytes(_ sectors: Range<UInt64>) -> Range<UInt64> { sectors.lowerBound * 512..<sectors.upperBound * 512 }
        let outer = DiskPartition(number: 2, range: bytes(extended), type: "0x0f", id: "", role: .extended)
        return DiskLabel(
            kind: .mbr, id: "0x12345678",
            partitions: [outer] + logicals.enumerated().map { DiskPartition(number: UInt32($0 + 5), range: bytes($1), type: "0x8\($0)", id: "", attributes: $0 == 0 ? 0x80 : 0, role: .logical) })
    }

    private func places(_ label: DiskLabel) throws -> [UInt64] {
        let sectors = LabelWriter.logicalTables(label, sectorByteCount: 512)
        let chain = try #require(LogicalTableChain(sectors, extendedAt: label.partitions[0].range.lowerBound, sectorByteCount: 512))
        #expect(chain.partitions.map(\.range) == label.partitions.dropFirst().map(\.range))
        #expect(chain.partitions.map(\.type) == label.partitions.indices.dropFirst().map { 0x80 + UInt8($0 - 1) } && chain.partitions.first?.status == 0x80)
        return chain.places.map { $0 / 512 }
    }

    @Test func `they stand in front of their partitions, the first at the start`() throws {
        #expect(try places(label(2048..<100_000, 4096..<10_000, 20_000..<30_000, 32_048..<100_000)) == [2048, 17_952, 30_000])
        #expect(try places(label(2046..<100_000, 2048..<10_000, 10_001..<30_000)) == [2046, 10_000])
    }

    @Test func `numbers need not be in the order of the places`() throws {
        #expect(try places(label(2048..<100_000, 50_000..<60_000, 2050..<10_000, 12_048..<20_000)) == [2048, 2049, 10_000])
    }

    @Test func `code before the first table stays`() {
        let sectors = LabelWriter.logicalTables(label(2048..<100_000, 4096..<10_000, 20_000..<30_000), sectorByteCount: 512)
        #expect(sectors.map(\.offset) == [2048 * 512 + 446, 17_952 * 512] && sectors.map(\.bytes.count) == [66, 512])
    }

    @Test func `an entry names cylinder, head and sector of the disk, and counts from its table`() {
        let bytes = LabelWriter.logicalTables(label(16_065..<48_195, 16_128..<32_130, 32_193..<48_195), sectorByteCount: 512)[0].bytes
        #expect(Array(bytes[..<32]) == [0x80, 1, 1, 1, 0x80, 254, 63, 1, 63, 0, 0, 0, 0x82, 0x3E, 0, 0] + [0, 0, 1, 2, 5, 254, 63, 2, 0xC1, 0x3E, 0, 0, 0xC1, 0x3E, 0, 0])
    }
}
