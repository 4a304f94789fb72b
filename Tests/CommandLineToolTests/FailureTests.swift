import Bytes
import DiskImages
import ImageRepository
import RepositoryFormat
import Storage
import Testing

@testable import CommandLineTool

@Suite struct FailureTests {
    private let session = SessionID(RandomID([UInt8](repeating: 7, count: 16)))

    @Test func `each kind of failure has its exit status`() {
        let expected: [(RepositoryError, CommandLineTool.ExitStatus)] = [
            (.noRepository(place: "/r", reason: "nothing there"), .noRepository), (.storage(.noRepository(place: "/r")), .noRepository),
            (.sessionEnded(session), .sessionEnded), (.wrongCredential, .wrongCredential), (.cancelled, .interrupted),
            (.occupied(place: "/r", reason: "x"), .failed), (.damaged(object: "config", reason: "x"), .failed),
            (.storage(.full(object: "packs")), .failed), (.image(.notFound(path: "/x")), .failed), (.noSnapshot("x"), .failed),
        ]
        for (error, status) in expected { #expect(Failure(error).status == status, "\(error)") }
    }

    @Test func `a message names the object and is one line`() {
        let message = Failure(RepositoryError.damaged(object: "packs/ab", reason: "its digest does not fit")).message
        #expect(message.contains("packs/ab"))
        #expect(message.contains("holdfast check"))
        #expect(!message.contains("\n"))
    }
}
