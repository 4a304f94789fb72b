import Bytes
import DiskImages
import ImageFixtures
import ImageRepository
import RepositoryFormat
import Sealing
import Storage
import Testing

struct RoundTripTests {
    @Test func `what goes in comes out`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.mixed(byteCount: 40 << 20, seed: 1)
        let report = try fixture.backup(bytes)
        #expect(try fixture.restore(report.snapshot) == bytes)
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `a second identical backup adds no data pack and stores almost nothing`() throws {
        let fixture = try RepositoryFixture()
        let bytes = TestImages.mixed(byteCount: 40 << 20, seed: 2)
        _ = try fixture.backup(bytes)
        let second = try fixture.backup(bytes)
        #expect(second.dataPackCount == 0)
        #expect(second.snapshot.manifest.counters.newByteCount == 0)
        #expect(try fixture.restore(second.snapshot) == bytes)
    }
}
