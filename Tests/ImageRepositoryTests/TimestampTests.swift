import Bytes
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import Testing

struct TimestampTests {
    // From `date -u -d @… +%Y-%m-%dT%H:%M:%SZ`.
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (-86_400, "1969-12-31T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"), (1_770_000_000, "2026-02-02T02:40:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
        (-2_203_891_200, "1900-03-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
    ])
    func `seconds become the date they stand for`(seconds: Int64, text: String) {
        #expect(Timestamp.text(secondsSince1970: seconds) == text)
        #expect(Timestamp.secondsSince1970(text) == seconds)
    }

    @Test(arguments: [
        "", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01T12:00:00+01:00", "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-03-00T12:00:00Z",
        "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01 12:00:00Z", "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00.5xZ", "20a6-03-01T12:00:00Z",
    ])
    func `what is no time is none`(text: String) {
        #expect(Timestamp.secondsSince1970(text) == nil)
    }

    @Test func `fractions of a second are dropped`() { #expect(Timestamp.secondsSince1970("1970-01-01T00:00:01.999Z") == 1) }

    @Test func `the order of snapshots does not depend on clocks`() throws {
        let fixture = try RepositoryFixture()
        var ids: [SnapshotID] = []
        for (number, clock) in [Int64(1_770_000_000), 0, -1_000_000_000, 5].enumerated() {
            let other = try RepositoryFixture(opening: fixture.storage, like: fixture, environment: RepositoryFixture.environment(now: clock))
            let report = try other.backup([UInt8(number), 1, 2])
            #expect(report.snapshot.manifest.ordinal == UInt64(number) + 1)
            #expect(report.snapshot.manifest.startTime == Timestamp.text(secondsSince1970: clock))
            ids.append(report.snapshot.id)
        }
        let list = try fixture.repository.snapshots()
        #expect(list.snapshots.map(\.id) == ids)
        #expect(try fixture.repository.snapshot(SnapshotSelector("latest")).id == ids[3])
        #expect(try fixture.check(.all).problems == [])
    }
}
