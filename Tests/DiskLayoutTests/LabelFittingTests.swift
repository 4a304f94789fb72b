import RepositoryFormat
import Testing

@testable import DiskLayout

/// The disk is 100 MiB: an ESP of 8 at 1, a root of 40 at 9, data of 20 at 49, swap of 10 at 69; 20 MiB are free behind it.
struct LabelFittingTests {
    private static let mebibyte: UInt64 = 1 << 20

    private func label() -> DiskLabel {
        let ranges: [Range<UInt64>] = [1..<9, 9..<49, 49..<69, 69..<79]
        return DiskLabel(
            kind: .gpt, id: "8C39F02C-6A69-284D-B512-6E2EDF067133", firstUsableSector: 2048, lastUsableSector: 204_766,
            partitions: ranges.enumerated().map { place, range in
                DiskPartition(
                    number: UInt32(place + 1), range: range.lowerBound * Self.mebibyte..<range.upperBound * Self.mebibyte, type: "0FC63DAF-8483-4772-8E79-3D69D8477DE4", id: "")
            })
    }

    private func fitted(_ size: UInt64, _ sizes: [UInt32: PartitionSize] = [:]) throws -> [Range<UInt64>] {
        let new = try label().fitted(to: size * Self.mebibyte, sectorByteCount: 512, sizes: sizes)
        #expect(throws: Never.self) { try new.check(within: size * Self.mebibyte) }
        return new.partitions.map { $0.range.lowerBound / Self.mebibyte..<$0.range.upperBound / Self.mebibyte }
    }

    @Test func `without other sizes partitions stay, and those behind the end move down`() throws {
        #expect(try fitted(200) == [1..<9, 9..<49, 49..<69, 69..<79])
        #expect(try fitted(80) == [1..<9, 9..<49, 49..<69, 69..<79])
        #expect(throws: LabelFittingError.tooSmall(neededByteCount: 79 * Self.mebibyte + 33 * 512, availableByteCount: 79 * Self.mebibyte)) { try fitted(79) }
    }

    @Test func `the one that takes the rest grows, and those behind it move to the end`() throws {
        #expect(try fitted(200, [2: .rest]) == [1..<9, 9..<169, 169..<189, 189..<199])
        #expect(try fitted(200, [4: .rest]) == [1..<9, 9..<49, 49..<69, 69..<199])
    }

    @Test func `the one that takes the rest shrinks where the disk is smaller`() throws {
        #expect(try fitted(60, [2: .rest]) == [1..<9, 9..<29, 29..<49, 49..<59])
        #expect(try fitted(41, [2: .rest]) == [1..<9, 9..<10, 10..<30, 30..<40])
        #expect(throws: LabelFittingError.tooSmall(neededByteCount: 40 * Self.mebibyte + 33 * 512, availableByteCount: 40 * Self.mebibyte)) { try fitted(40, [2: .rest]) }
    }

    @Test func `one that gets a size pushes others up, and leaves them where they are if it shrinks`() throws {
        #expect(try fitted(200, [2: .bytes(60 * Self.mebibyte)]) == [1..<9, 9..<69, 69..<89, 89..<99])
        #expect(try fitted(200, [2: .bytes(10 * Self.mebibyte)]) == [1..<9, 9..<19, 49..<69, 69..<79])
        #expect(try fitted(60, [2: .bytes(10 * Self.mebibyte)]) == [1..<9, 9..<19, 29..<49, 49..<59])
        #expect(try fitted(200, [1: .bytes(20 * Self.mebibyte), 3: .rest]) == [1..<21, 21..<61, 61..<189, 189..<199])
    }
}
