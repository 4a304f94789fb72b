import RepositoryFormat
import Testing

@testable import CommandLineTool

@Suite struct ProgressTests {
    private func sample(done: UInt64, of total: UInt64) -> ProgressMeter.Sample {
        ProgressMeter.Sample(totalByteCount: total, doneByteCount: done, readByteCount: done, newByteCount: done / 2, storedByteCount: done / 4)
    }

    @Test func `rate and time left follow from what was done`() {
        var meter = ProgressMeter(start: 5000)
        let reading = meter.read(sample(done: 4 << 20, of: 16 << 20), at: 7000)
        #expect(reading.bytesPerSecond == 2 << 20)
        #expect(reading.secondsLeft == 6)
        #expect(reading.permille == 250)
        #expect(reading.seconds == 2)
    }

    @Test func `the rate forgets what is longer ago than its window`() {
        var meter = ProgressMeter(start: 0)
        for second in 1...30 { _ = meter.read(sample(done: UInt64(second) * 1_000_000, of: 1 << 40), at: UInt64(second) * 1000) }
        var last = meter.read(sample(done: 30_000_000, of: 1 << 40), at: 31_000)
        for second in 32...45 { last = meter.read(sample(done: 30_000_000, of: 1 << 40), at: UInt64(second) * 1000) }
        #expect(last.bytesPerSecond == 0)
        #expect(last.secondsLeft == nil)
    }

    @Test func `an unknown total gives neither percent nor time left`() {
        var meter = ProgressMeter(start: 0)
        let reading = meter.read(sample(done: 3 << 20, of: 0), at: 1000)
        #expect(reading.permille == nil)
        #expect(reading.secondsLeft == nil)
        #expect(ProgressText.line(reading, .restore) == "3MiB  3MiB/s")
    }

    @Test func `sizes up to the largest image do not overflow`() {
        var meter = ProgressMeter(start: 0)
        let reading = meter.read(sample(done: 1 << 50, of: 1 << 50), at: 1)
        #expect(reading.permille == 1000)
        #expect(reading.secondsLeft == 0)
    }

    @Test func `a line tells what a backup has done`() {
        var meter = ProgressMeter(start: 0)
        let reading = meter.read(sample(done: 4 << 20, of: 16 << 20), at: 2000)
        #expect(ProgressText.line(reading, .backup) == "25.0%  4MiB of 16MiB  2MiB/s  0:06 left  new 2MiB  stored 1MiB")
        #expect(ProgressText.json(reading, .backup)["seconds_left"] == .integer(6))
    }
}
