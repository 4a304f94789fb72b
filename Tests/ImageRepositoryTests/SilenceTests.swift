import Bytes
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import Synchronization
import TestSupport
import Testing

/// Sessions of other machines that nobody hears of any more, and those that go on.
struct SilenceTests {
    private static let day: Int64 = 24 * 3600

    /// A clock that is set by hand.
    private final class Clock: Sendable {
        private let seconds = Mutex<Int64>(1_770_000_000)
        func pass(_ count: Int64) { seconds.withLock { $0 += count } }
        /// Passes as much each time it is read.
        func next(_ step: Int64) -> Int64 {
            seconds.withLock { seconds in
                seconds += step
                return seconds
            }
        }
        var now: Int64 { seconds.withLock { $0 } }
    }

    private let folder = TemporaryFolder()
    private let storage = MemoryStorage()
    private let clock = Clock()
    private let maintainer: RepositoryFixture

    init() throws {
        let first = try RepositoryFixture(storage)
        let clock = clock
        var environment = RepositoryFixture.environment(host: "maintainer", stateFolder: folder.path)
        environment.now = { clock.now }
        maintainer = try RepositoryFixture(opening: storage, like: first, environment: environment)
    }

    private func prune(_ options: PruneOptions = PruneOptions()) throws -> PruneReport { try maintainer.repository.prune(options, cancellation: Cancellation()) }

    /// What a machine leaves that died in a backup.
    private func leaveSession(space: String = "elsewhere, first boot") throws -> SessionID {
        let storage = FaultInjectingStorage(storage)
        var environment = RepositoryFixture.environment(host: "elsewhere")
        environment.processSpace = space
        let other = try RepositoryFixture(opening: storage, like: maintainer, environment: environment)
        storage.injectNext(.crashAfter) { if case .put(let name, _) = $0 { name.kind == .packs } else { false } }
        #expect(throws: RepositoryError.self) { try other.backup(TestImages.random(byteCount: 100_000, seed: 3)) }
        return try #require(try maintainer.repository.openSessions().first).id
    }

    /// So that a prune has something to condemn.
    private func forgetSomething() throws {
        let snapshot = try maintainer.backup(TestImages.random(byteCount: 100_000, seed: 4), name: "other").snapshot
        try maintainer.repository.mark([snapshot], .forget)
    }

    private func heartbeats() throws -> [String] { try storage.list(.sessions).map(\.name.leaf).filter { $0.contains(".") }.sorted() }

    @Test(arguments: [("", ""), ("one boot", "another"), ("one boot", "one boot")])
    func `only a session of the same process space is known to be gone, whatever its number and the names of its machine`(left: String, looking: String) throws {
        _ = try leaveSession(space: left)
        var environment = RepositoryFixture.environment(host: "elsewhere", processID: 2)
        environment.processSpace = looking
        let other = try RepositoryFixture(opening: storage, like: maintainer, environment: environment).repository
        #expect(try other.openSessions().map(\.isGone) == [left == looking && !left.isEmpty])
    }

    @Test func `a prune ends a session of another machine after a day without a sign of life`() throws {
        let session = try leaveSession()
        try forgetSomething()
        #expect(try prune().waitsFor.map(\.id) == [session])
        clock.pass(SilenceTests.day - 1)
        let waiting = try prune().waitsFor
        #expect(waiting.map(\.id) == [session])
        #expect(waiting.map(\.silentSeconds) == [SilenceTests.day - 1])
        clock.pass(1)
        let report = try prune()
        #expect(report.waitsFor.map(\.id) == [])
        #expect(report.deleted.count > 0)
        #expect(try storage.list(.sessions).map(\.name) == [])
        #expect(try maintainer.check(.all).problems == [])
    }

    @Test func `a session that gives signs of life is waited for as long as it takes`() throws {
        let session = try leaveSession()
        try forgetSomething()
        for number in 0..<5 {
            _ = try storage.put(.heartbeat(session, UInt64(number)), [1])
            if number > 0 { try storage.delete(.heartbeat(session, UInt64(number - 1))) }
            #expect(try prune().waitsFor.map(\.id) == [session])
            clock.pass(SilenceTests.day - 1)
        }
        #expect(try prune().waitsFor.map(\.id) == [session])
        clock.pass(1)
        #expect(try prune().waitsFor.map(\.id) == [])
        #expect(try heartbeats() == [])
    }

    @Test func `a clock that was set back begins anew, and nothing is silent for a prune that never gives up`() throws {
        let session = try leaveSession()
        try forgetSomething()
        _ = try prune()
        clock.pass(-SilenceTests.day)
        #expect(try prune().waitsFor.map(\.silentSeconds) == [0])
        clock.pass(SilenceTests.day * 400)
        var patient = PruneOptions()
        patient.silentAfter = nil
        #expect(try prune(patient).waitsFor.map(\.id) == [session])
        #expect(try prune().waitsFor.map(\.id) == [])
    }

    @Test func `notes of what was heard that cannot be read begin anew`() throws {
        let session = try leaveSession()
        try forgetSomething()
        _ = try prune()
        clock.pass(SilenceTests.day)
        let path = "\(folder.path)/\(maintainer.repository.id.hexadecimal)/sessions.json"
        try PrivateFile.replace(path, with: Array("{\"sessions\":[{}]}".utf8))
        #expect(try prune().waitsFor.map(\.id) == [session])
        clock.pass(SilenceTests.day)
        #expect(try prune().waitsFor.map(\.id) == [])
    }

    @Test func `a machine that can remember nothing knows of no silence and ends nobody`() throws {
        let session = try leaveSession()
        try forgetSomething()
        let clock = clock
        for folder in [nil, "/proc/no-such-folder"] as [String?] {
            var environment = RepositoryFixture.environment(host: "forgetful", stateFolder: folder)
            environment.now = { clock.now }
            let other = try RepositoryFixture(opening: storage, like: maintainer, environment: environment)
            for _ in 0..<2 {
                let waiting = try other.repository.prune(cancellation: Cancellation()).waitsFor
                #expect(waiting.map(\.id) == [session] && waiting.map(\.silentSeconds) == [nil])
                clock.pass(2 * SilenceTests.day)
            }
        }
    }

    @Test func `a backup gives a sign of life where ten minutes have passed, and leaves none`() throws {
        let clock = clock
        let calls = FaultInjectingStorage(storage)
        var environment = RepositoryFixture.environment(host: "elsewhere")
        // Each look at the clock is five minutes later than the one before.
        environment.now = { clock.next(300) }
        let other = try RepositoryFixture(opening: calls, like: maintainer, environment: environment)
        calls.reset()
        let band = UInt64(FormatLimits.bandByteCount)
        let image = SyntheticImageReader(byteCount: 5 * band, seed: 1, dataRanges: (0..<5).map { $0 * band..<$0 * band + 4096 })
        let snapshot = try other.backup(image).snapshot
        let session = try #require(SessionID(hexadecimal: snapshot.id.hexadecimal))
        let beats = calls.operations.filter { if case .put(let name, _) = $0 { name.kind == .sessions && name.leaf.contains(".") } else { false } }
        #expect(beats.count >= 2)
        #expect(calls.operations.contains(.delete(.heartbeat(session, 0))))
        #expect(try storage.list(.sessions).map(\.name) == [])
        #expect(try maintainer.check(.all).problems == [])
    }

    @Test func `a sign of life without a session is deleted by a prune`() throws {
        let session = try leaveSession()
        _ = try storage.put(.heartbeat(session, 7), [1])
        try maintainer.repository.endSession(session, reason: "test")
        #expect(try heartbeats().count == 1)
        _ = try prune()
        #expect(try heartbeats() == [])
    }
}
