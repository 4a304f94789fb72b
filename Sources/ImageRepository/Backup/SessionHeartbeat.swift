import Bytes
import RepositoryFormat
import Sealing
import Storage

/// Signs of life of a session: maintainers end one that is silent for long. Where none can be put, the session goes on, and is perhaps ended for nothing.
final class SessionHeartbeat {
    /// Seconds by this machine's clock; Specs/ordering.md, after step 8.
    static let interval: Int64 = 600

    private let repository: Repository
    private let session: SessionID
    private var lastTime: Int64
    private var nextNumber: UInt64 = 0
    /// The one that is there.
    private var current: ObjectName?

    init(_ repository: Repository, _ session: SessionID) {
        self.repository = repository
        self.session = session
        lastTime = repository.environment.now()
    }

    /// Puts one if it is time; a clock that was set back counts as that.
    func beat() {
        let now = repository.environment.now()
        guard now < lastTime || now - lastTime >= SessionHeartbeat.interval else { return }
        lastTime = now
        let record = Heartbeat(session: session, number: nextNumber, time: repository.timestamp)
        let name = ObjectName.heartbeat(session, nextNumber)
        nextNumber += 1
        let object = repository.sealer.seal(record.body, repository.sealer.repositoryBinding(.heartbeat, name: name.path))
        do throws(StorageError) {
            _ = try repository.storage.put(name, object.span)
            stop()
            current = name
        } catch {
            // The next one may do; one whose reply was lost a maintainer deletes.
        }
    }

    /// Deletes the last one.
    func stop() {
        guard let name = current else { return }
        current = nil
        // A maintainer deletes it if this fails.
        do throws(StorageError) { try repository.storage.delete(name) } catch {}
    }
}
