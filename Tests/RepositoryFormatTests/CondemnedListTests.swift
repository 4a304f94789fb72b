import Bytes
import RepositoryFormat
import Testing

struct CondemnedListTests {
    private func pack(_ number: Int) -> PackID { PackID(Digest([UInt8](repeating: UInt8(number), count: 32))) }

    @Test(arguments: [(0, 3, 1), (3, 0, 1), (2, 1, 1), (2, 2, 2), (7, 4, 5), (6, 1, 3)]) func `many packs go on several lists, each on one`(dataCount: Int, mapCount: Int, partCount: Int) {
        let whole = CondemnedList(kind: .damaged, dataPacks: (0..<dataCount).map(pack), mapPacks: (100..<100 + mapCount).map(pack))
        let parts = whole.parts(packCountMax: 3)
        #expect(parts.count == partCount)
        #expect(parts.flatMap(\.dataPacks) == whole.dataPacks && parts.flatMap(\.mapPacks) == whole.mapPacks)
        #expect(parts.allSatisfy { $0.kind == .damaged && 1...3 ~= $0.dataPacks.count + $0.mapPacks.count })
    }

    @Test func `readers accept a list with as many packs as a list may have, and a verdict that spares them all`() throws {
        let packs = [PackID](repeating: pack(1), count: CondemnedList.packCountMax)
        let body = CondemnedList(kind: .prune, dataPacks: packs, mapPacks: []).body
        // What seals it is less than a page.
        #expect(body.count + 4096 < FormatLimits.condemnedByteCountMax)
        #expect(try CondemnedList(body: body).dataPacks.count == CondemnedList.packCountMax)
        let verdict = Verdict(sparedDataPacks: packs, sparedMapPacks: []).body
        #expect(verdict.count + 4096 < FormatLimits.condemnedByteCountMax)
        #expect(try Verdict(body: verdict).sparedDataPacks.count == CondemnedList.packCountMax)
    }
}
