import Testing

@testable import DiskLayout

/// The usual layout of a Debian: the disk is 100 MiB, root has 60 at 1; the extended partition begins two sectors before swap, which has 30 at 62 and ends with it; 8 MiB are free behind them.
struct MBRFittingTests {
    private static let mebibyte: UInt64 = 1 << 20

    static func partition(_ number: UInt32, _ role: DiskPartition.Role, _ range: Range<UInt64>, type: String = "0x83") -> DiskPartition {
        DiskPartition(number: number, range: range, type: role == .extended ? "0x05" : type, id: "", role: role)
    }

    private static func inMebibytes(_ range: Range<UInt64>) -> Range<UInt64> { range.lowerBound * mebibyte..<range.upperBound * mebibyte }

    private static func label(_ partitions: [DiskPartition]) -> DiskLabel { DiskLabel(kind: .mbr, id: "0x12345678", partitions: partitions) }

    /// A primary partition for each range.
    private static func primaries(_ ranges: Range<UInt64>...) -> DiskLabel {
        label(ranges.enumerated().map { partition(UInt32($0 + 1), .primary, inMebibytes($1)) })
    }

    private static let debian = label([
        partition(1, .primary, inMebibytes(1..<61)), partition(2, .extended, 62 * mebibyte - 1024..<92 * mebibyte), partition(5, .logical, inMebibytes(62..<92), type: "0x82"),
    ])

    /// An extended partition from 10 to 60 MiB: 10 MiB at 11, 10 at 22, 10 at 40; 10 are free behind them.
    private static let severalLogicals = label([
        partition(1, .primary, inMebibytes(1..<10)), partition(2, .extended, inMebibytes(10..<60)), partition(3, .primary, inMebibytes(60..<70)),
        partition(5, .logical, inMebibytes(11..<21)), partition(6, .logical, inMebibytes(22..<32)), partition(7, .logical, inMebibytes(40..<50)),
    ])

    private func fitted(_ label: DiskLabel, _ size: UInt64, _ sizes: [UInt32: PartitionSize] = [:]) throws -> [Range<UInt64>] {
        let new = try label.fitted(to: size * Self.mebibyte, sectorByteCount: 512, sizes: sizes)
        #expect(throws: Never.self) { try new.check(within: size * Self.mebibyte) }
        return new.partitions.map { $0.range.lowerBound / Self.mebibyte..<$0.range.upperBound / Self.mebibyte }
    }

    private func tooSmall(_ needed: UInt64, _ available: UInt64) -> LabelFittingError {
        .tooSmall(neededByteCount: needed * Self.mebibyte, availableByteCount: available * Self.mebibyte)
    }

    @Test func `primary ones move like those of a GPT, but need no room behind`() throws {
        let label = Self.primaries(1..<9, 9..<49, 49..<69, 69..<79)
        #expect(try fitted(label, 200, [4: .rest]) == [1..<9, 9..<49, 49..<69, 69..<200])
        #expect(try fitted(label, 200, [2: .rest]) == [1..<9, 9..<170, 170..<190, 190..<200])
        #expect(try fitted(label, 200, [2: .bytes(60 * Self.mebibyte)]) == [1..<9, 9..<69, 69..<89, 89..<99])
        #expect(try fitted(label, 75, [4: .bytes(6 * Self.mebibyte)]) == [1..<9, 9..<49, 49..<69, 69..<75])
        #expect(try fitted(label, 60, [2: .rest]) == [1..<9, 9..<30, 30..<50, 50..<60])
        #expect(throws: tooSmall(79, 75)) { try fitted(label, 75) }
        #expect(throws: tooSmall(89, 80)) { try fitted(label, 80, [1: .bytes(18 * Self.mebibyte)]) }
    }

    @Test func `what boots the first one stays before it`() throws {
        #expect(try fitted(Self.primaries(20..<30, 30..<40), 21) == [1..<11, 11..<21])
        #expect(throws: tooSmall(21, 20)) { try fitted(Self.primaries(20..<30, 30..<40), 20) }
        // As DOS began: at the second track.
        let old = Self.label([Self.partition(1, .primary, 63 * 512..<20 * Self.mebibyte), Self.partition(2, .primary, Self.inMebibytes(30..<40))])
        let new = try old.fitted(to: 30 * Self.mebibyte, sectorByteCount: 512)
        #expect(new.partitions.map(\.range) == [63 * 512..<20 * Self.mebibyte, Self.inMebibytes(20..<30)])
        #expect(throws: tooSmall(30, 29)) { try fitted(old, 29) }
    }

    @Test func `an extended one moves as a whole, aligned where its first logical one is`() throws {
        let label = Self.debian
        #expect(try label.fitted(to: 92 * Self.mebibyte, sectorByteCount: 512) == label)
        #expect(throws: LabelFittingError.tooSmall(neededByteCount: 92 * Self.mebibyte, availableByteCount: 92 * Self.mebibyte - 512)) {
            try label.fitted(to: 92 * Self.mebibyte - 512, sectorByteCount: 512)
        }
        for (size, root) in [(200 as UInt64, 1..<169 as Range<UInt64>), (60, 1..<29)] {
            let new = try label.fitted(to: size * Self.mebibyte, sectorByteCount: 512, sizes: [1: .rest])
            let swap = Self.inMebibytes(size - 30..<size)
            #expect(new.partitions.map(\.range) == [Self.inMebibytes(root), swap.lowerBound - 1024..<swap.upperBound, swap])
            #expect(new.hasLogicalPartitions(asIn: label))
        }
    }

    @Test func `those behind a logical one that is resized move along, and the extended one follows`() throws {
        let label = Self.severalLogicals
        // What is free behind them is used first.
        #expect(try fitted(label, 100, [6: .bytes(19 * Self.mebibyte)]) == [1..<10, 10..<60, 60..<70, 11..<21, 22..<41, 49..<59])
        #expect(try fitted(label, 100, [6: .bytes(30 * Self.mebibyte)]) == [1..<10, 10..<70, 70..<80, 11..<21, 22..<52, 60..<70])
        #expect(try fitted(label, 100, [7: .bytes(30 * Self.mebibyte)]) == [1..<10, 10..<70, 70..<80, 11..<21, 22..<32, 40..<70])
        #expect(try fitted(label, 100, [5: .bytes(5 * Self.mebibyte)]) == [1..<10, 10..<55, 60..<70, 11..<16, 17..<27, 35..<45])
        #expect(try fitted(label, 100, [5: .bytes(5 * Self.mebibyte + 512)]) == [1..<10, 10..<56, 60..<70, 11..<16, 18..<28, 36..<46])
        #expect(try fitted(label, 100, [6: .rest]) == [1..<10, 10..<90, 90..<100, 11..<21, 22..<72, 80..<90])
        #expect(try fitted(label, 65, [6: .rest]) == [1..<10, 10..<55, 55..<65, 11..<21, 22..<37, 45..<55])
        #expect(throws: tooSmall(51, 50)) { try fitted(label, 50, [6: .rest]) }
    }

    @Test func `what is free behind the last logical one is given up where there is no other room`() throws {
        #expect(try fitted(Self.severalLogicals, 65) == [1..<10, 10..<50, 55..<65, 11..<21, 22..<32, 40..<50])
        #expect(throws: tooSmall(60, 59)) { try fitted(Self.severalLogicals, 59) }
    }

    @Test func `where tables are written anew, there is room for each`() throws {
        // Their tables may stand elsewhere.
        let outer = Self.partition(2, .extended, Self.inMebibytes(10..<60))
        let close = Self.label([outer, Self.partition(5, .logical, Self.inMebibytes(11..<21)), Self.partition(6, .logical, Self.inMebibytes(21..<31)), Self.partition(7, .logical, Self.inMebibytes(31..<41))])
        #expect(try fitted(close, 100) == [10..<60, 11..<21, 21..<31, 31..<41])
        #expect(try fitted(close, 100, [6: .bytes(10 * Self.mebibyte)]) == [10..<60, 11..<21, 22..<32, 33..<43])
        #expect(try fitted(close, 43) == [10..<43, 11..<21, 22..<32, 33..<43])
        #expect(throws: tooSmall(34, 33)) { try fitted(close, 33) }
        // The first sector is that of number 5, and one is left.
        let first = 10 * Self.mebibyte + 512..<11 * Self.mebibyte
        let turned = Self.label([outer, Self.partition(5, .logical, Self.inMebibytes(21..<31)), Self.partition(6, .logical, first)])
        let new = try turned.fitted(to: 100 * Self.mebibyte, sectorByteCount: 512, sizes: [6: .bytes(Self.mebibyte / 2)])
        #expect(new.partitions.map(\.range).suffix(2) == [Self.inMebibytes(22..<32), 11 * Self.mebibyte + 512..<11 * Self.mebibyte + 512 + Self.mebibyte / 2])
        let chain = LogicalTableChain(LabelWriter.logicalTables(new, sectorByteCount: 512), extendedAt: 10 * Self.mebibyte, sectorByteCount: 512)
        #expect(chain?.partitions.map(\.range) == new.partitions.dropFirst().map(\.range))
    }

    @Test func `the one that takes the rest moves into free room in front of it where that is more than it would have`() throws {
        let label = Self.primaries(1..<10, 50..<90, 90..<95)
        #expect(try fitted(label, 95, [2: .rest]) == [1..<10, 50..<90, 90..<95])
        #expect(try fitted(Self.primaries(1..<10, 30..<90, 90..<95), 94, [2: .rest]) == [1..<10, 30..<89, 89..<94])
        #expect(try fitted(label, 70, [2: .rest]) == [1..<10, 25..<65, 65..<70])
        #expect(try fitted(label, 40, [2: .rest]) == [1..<10, 10..<35, 35..<40])
        #expect(try fitted(label, 200, [2: .rest]) == [1..<10, 50..<195, 195..<200])
        let extended = Self.label([Self.partition(1, .extended, 80 * Self.mebibyte - 1024..<120 * Self.mebibyte), Self.partition(5, .logical, Self.inMebibytes(80..<120))])
        #expect(try extended.fitted(to: 50 * Self.mebibyte, sectorByteCount: 512, sizes: [5: .rest]).partitions.map(\.range) == [10 * Self.mebibyte - 1024..<50 * Self.mebibyte, Self.inMebibytes(10..<50)])
    }

    @Test func `the size of an extended one follows, and is not given`() throws {
        #expect(throws: LabelFittingError.cannotResize(number: 2)) { try fitted(Self.debian, 200, [2: .rest]) }
    }

    @Test func `nothing moves or grows to where 32 bits do not reach`() throws {
        let tebibyte = 1 << 20 as UInt64
        let label = Self.primaries(1..<9, 9..<49)
        #expect(try fitted(label, 3 * tebibyte, [2: .rest]) == [1..<9, 9..<2 * tebibyte])
        #expect(try fitted(label, 3 * tebibyte, [1: .rest]) == [1..<2 * tebibyte - 40, 2 * tebibyte - 40..<2 * tebibyte])
        #expect(throws: tooSmall(2 * tebibyte + 9, 2 * tebibyte)) { try fitted(label, 3 * tebibyte, [2: .bytes(2 * tebibyte * Self.mebibyte)]) }
        // The last one may begin there and end behind; some do.
        let large = Self.primaries(1..<tebibyte, tebibyte..<tebibyte * 5 / 2)
        #expect(try fitted(large, 4 * tebibyte) == [1..<tebibyte, tebibyte..<tebibyte * 5 / 2])
    }

    @Test func `a size without bounds is refused like others`() {
        #expect(throws: LabelFittingError.self) { try fitted(Self.debian, 100, [1: .bytes(.max), 5: .bytes(.max)]) }
        #expect(throws: LabelFittingError.tooSmall(neededByteCount: 1024, availableByteCount: 512)) { try Self.label([]).fitted(to: 600, sectorByteCount: 512) }
    }
}
