import Bytes
import RepositoryFormat

/// For how long this machine has heard nothing new of sessions, by its own clock, kept in the state folder from one look to the next.
///
/// No clock of another machine is believed. A wrong one of this machine ends a session too early or too late: it then fails and says so, or is waited for.
struct SilenceLog {
    /// The last sign of life that was seen, and when it was seen first.
    private struct Entry: Equatable {
        var heartbeatCount: UInt64
        /// Seconds since 1970.
        var since: Int64
    }

    private static let byteCountMax = 1 << 20
    private static let sessionCountMax = 4096

    let repository: RepositoryID
    /// Nil for a client that remembers nothing: then nobody is ever silent.
    let folder: String?

    /// Looks at the sessions that run now, and forgets others.
    ///
    /// - Parameter heartbeatCounts: one more than the number of the last heartbeat, 0 without any.
    /// - Returns: seconds of silence, as far as they are known.
    func look(_ heartbeatCounts: [SessionID: UInt64], now: Int64) -> [SessionID: Int64] {
        guard let folder else { return [:] }
        let path = "\(folder)/\(repository.hexadecimal)/sessions.json"
        do throws(RepositoryError) {
            return try PrivateFile.locked(path) { () throws(RepositoryError) in
                let known = try read(path)
                var next: [SessionID: Entry] = [:]
                for (id, count) in heartbeatCounts {
                    // A clock that was set back since begins anew.
                    if let entry = known[id], entry.heartbeatCount == count, entry.since <= now { next[id] = entry } else { next[id] = Entry(heartbeatCount: count, since: now) }
                }
                if next != known { try PrivateFile.replace(path, with: encoded(next)) }
                return next.mapValues { now - $0.since }
            }
        } catch {
            // A folder that cannot be used is told when the repository is opened. Who is silent is not known, and so nobody is.
            return [:]
        }
    }

    /// What cannot be read is as good as none: the looks begin anew.
    private func read(_ path: String) throws(RepositoryError) -> [SessionID: Entry] {
        guard let bytes = try PrivateFile.read(path, byteCountMax: SilenceLog.byteCountMax) else { return [:] }
        do throws(FormatError) {
            var entries: [SessionID: Entry] = [:]
            for json in try JSONValue(parsing: bytes).array("sessions", limit: SilenceLog.sessionCountMax) {
                guard let id = SessionID(hexadecimal: try json.string("id")) else { throw .member("id") }
                entries[id] = Entry(
                    heartbeatCount: try json.count("heartbeat_count", limit: UInt64(Int64.max)), since: Int64(try json.count("since", limit: UInt64(Int64.max))))
            }
            return entries
        } catch { return [:] }
    }

    private func encoded(_ entries: [SessionID: Entry]) -> [UInt8] {
        let sessions = entries.sorted { $0.key.hexadecimal < $1.key.hexadecimal }.prefix(SilenceLog.sessionCountMax).map { id, entry in
            ["id": .string(id.hexadecimal), "heartbeat_count": .count(entry.heartbeatCount), "since": .count(UInt64(max(0, entry.since)))] as JSONValue
        }
        return (["sessions": .array(sessions)] as JSONValue).encoded
    }
}
