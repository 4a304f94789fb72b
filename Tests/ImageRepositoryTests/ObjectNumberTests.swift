import Bytes
@testable import ImageRepository
import Storage
import Testing

/// Numbers in names: one text for each, so that no object has two names.
struct ObjectNumberTests {
    private let id = String(repeating: "5", count: 32)

    @Test(arguments: ["0", "1", "9", "10", "17", "999999999999999999"]) func `a number is told by its only text`(text: String) throws {
        let number = UInt64(text)
        #expect(ObjectName(.keyring, text).keyringNumber == number)
        #expect(ObjectName(.marks, "\(id).\(text)").markPlace?.number == number)
        #expect(ObjectName(.sessions, "\(id).\(text)").heartbeatPlace?.number == number)
        let snapshot = try #require(SnapshotID(hexadecimal: id))
        #expect(ObjectName.mark(snapshot, try #require(number)).markPlace?.snapshot == snapshot)
    }

    @Test(arguments: ["00", "007", "01", "1000000000000000000", "18446744073709551616", "a", "1a", "0.0"]) func `other texts are no number`(text: String) {
        #expect(ObjectName(.keyring, text).keyringNumber == nil && !ObjectName(.keyring, text).isKnown)
        for kind in [ObjectKind.marks, .sessions] {
            let name = ObjectName(kind, "\(id).\(text)")
            #expect(name.markPlace == nil && name.heartbeatPlace == nil && name.sessionID == nil && !name.isKnown)
        }
        #expect(ObjectName(.marks, "\(id)..0").markPlace == nil)
        #expect(ObjectName(.marks, "\(id)").markPlace == nil)
    }

    @Test func `every name that the program gives is known`() throws {
        let id = try #require(RandomID(hexadecimal: id))
        let digest = Digest(hexadecimal: String(repeating: "7", count: 64)).map { IndexID($0) }
        let names: [ObjectName] = [
            .config, .keyring(0), .key(SlotID(id)), .index(try #require(digest)), .snapshot(SnapshotID(id)), .mark(SnapshotID(id), 12), .session(SessionID(id)),
            .heartbeat(SessionID(id), 3), .condemned(id), .verdict(id), .awaitedSessions(id),
        ]
        for name in names { #expect(name.isKnown, "\(name)") }
    }
}
