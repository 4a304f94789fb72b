import Testing

@testable import ImageRepository

struct HeldEntriesTests {
    /// The band begins 100 bytes into a block of the target, so blocks begin at 3996, 8092 …
    private static let distance = 100

    @Test func `what differs is written in whole blocks where they are known, and as it is where nothing was looked at`() {
        var found = HeldEntries(distance: Self.distance)
        found.hold(0)
        found.replace(1, knowing: 3000..<30_000)
        found.passOver(2)
        found.replace(3, knowing: 190_000..<230_000)
        found.passOver(4)
        let differences = [230_500..<240_000, 200_010..<200_020, 30_001..<90_000, 5000..<5001, 3000..<3001]
        #expect(found.written(differences) == [3000..<8092, 30_001..<90_000, 196_508..<200_604, 230_500..<240_000])
        #expect(found.held == [0])
        #expect(found.answers == [0: .held, 1: .replaced, 2: .uncompared, 3: .replaced, 4: .uncompared])
    }

    @Test func `neighbours are joined, whether they were looked at or not`() {
        var found = HeldEntries(distance: 0)
        found.replace(0, knowing: 0..<8192)
        found.passOver(1)
        found.passOver(2)
        #expect(found.written([20_000..<50_000, 8192..<20_000, 8000..<8100]) == [4096..<50_000])
    }

    @Test func `nothing is written where nothing differs`() {
        var found = HeldEntries(distance: Self.distance)
        found.replace(0, knowing: 0..<4096)
        #expect(found.written([]) == [])
    }
}
