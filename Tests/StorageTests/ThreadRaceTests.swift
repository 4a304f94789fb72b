import Storage
import Testing

@Suite struct ThreadRaceTests {
    @Test func `each thread runs once, and its result is in its place`() {
        #expect(raceThreads(count: 9) { $0 * $0 } == [0, 1, 4, 9, 16, 25, 36, 49, 64])
        #expect(raceThreads(count: 0) { $0 } == [])
    }
}
