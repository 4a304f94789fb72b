public import Bytes
public import RepositoryFormat
import Sealing
import Storage

/// A session that has neither committed nor ended.
public struct OpenSession: Sendable {
    public let id: SessionID
    public let record: SessionRecord
    /// It ran on this machine since it was booted, and its process does so no more.
    public let isGone: Bool
    /// Seconds, by the clock of this machine, since it saw for the first time the last sign of life; 0 when it looks for the first time. Nil where it can
    /// remember nothing: there no session is ended for its silence.
    public internal(set) var silentSeconds: Int64?
}

extension Repository {
    /// All sessions without an occupied slot.
    public func openSessions() throws(RepositoryError) -> [OpenSession] {
        var found: [OpenSession] = []
        let listing = try listSessions()
        for (id, _) in listing.sessions where try !isOccupied(id) {
            if let session = try readSession(id) { found.append(session) }
        }
        return listen(to: found, listing).sorted { ($0.record.startTime, $0.id.hexadecimal) < ($1.record.startTime, $1.id.hexadecimal) }
    }

    /// Ends a session, so that it can never commit. Its process notices when it tries, and fails.
    ///
    /// - Returns: false if it has committed, or had ended already.
    @discardableResult
    public func endSession(_ id: SessionID, reason: String) throws(RepositoryError) -> Bool {
        try demandPrune()
        return try abort(id, reason: reason) == .created
    }

    func demandPrune() throws(RepositoryError) {
        try keyrings.refresh()
        guard mayPrune else { throw .notPermitted(operation: "prune or end sessions", role: role) }
    }

    /// Ordering 10 and 15: the sessions that run and may not have read this list.
    func sessionsAwaited(by list: RandomID, silentAfter: Int64?) throws(RepositoryError) -> [OpenSession] {
        let running = try settleSessions(silentAfter: silentAfter)
        let name = ObjectName.awaitedSessions(list)
        if let awaited = try readAwaitedSessions(name) {
            for id in awaited where !running.contains(where: { $0.id == id }) {
                // Without a session object it cannot be asked whether it runs; it must not commit any more.
                if try !isOccupied(id) { _ = try abort(id, reason: "its session object is gone") }
            }
            return running.filter { awaited.contains($0.id) }
        }
        guard !running.isEmpty else { return [] }
        let record = AwaitedSessions(sessions: running.map(\.id))
        let object = sealer.seal(record.body, sealer.repositoryBinding(.awaitedSessions, name: name.path))
        _ = try storing { () throws(StorageError) in try storage.claimWithReserve(name, object) }
        return running
    }

    /// Nil where nothing was left that can be believed.
    private func readAwaitedSessions(_ name: ObjectName) throws(RepositoryError) -> Set<SessionID>? {
        do throws(RepositoryError) {
            let object = try storing { () throws(StorageError) in try storage.get(name, byteCountMax: UInt64(FormatLimits.condemnedByteCountMax)) }
            let binding = sealer.repositoryBinding(.awaitedSessions, name: name.path)
            let document = try sealing(name.path) { () throws(SealingError) in
                let document = try sealer.open(object, binding)
                try verifier.verify(document, binding, .lastingCapability(.prune))
                return document
            }
            return Set(try decoding(name.path) { () throws(FormatError) in try AwaitedSessions(body: document.body) }.sessions)
        } catch {
            if case .storage(.unavailable) = error { throw error }
            return nil
        }
    }

    /// Ordering 10: every session gets its slot occupied, or is returned as one that still runs.
    ///
    /// - Parameter silentAfter: seconds of silence after which a session is ended; nil for never.
    func settleSessions(silentAfter: Int64?) throws(RepositoryError) -> [OpenSession] {
        var running: [OpenSession] = []
        let listing = try listSessions()
        for (id, name) in listing.sessions {
            if try isOccupied(id) {
                try storing { () throws(StorageError) in try storage.delete(name) }
            } else if let session = try readSession(id) {
                if session.isGone { _ = try abort(id, reason: "its process runs no more") } else { running.append(session) }
            }
        }
        running = listen(to: running, listing)
        if let silentAfter {
            for session in running {
                guard let seconds = session.silentSeconds, seconds >= silentAfter else { continue }
                _ = try abort(session.id, reason: "nothing was heard of it for \(seconds) s")
            }
            running.removeAll { ($0.silentSeconds ?? 0) >= silentAfter }
        }
        let ids = Set(running.map(\.id))
        for (id, names) in listing.heartbeats where !ids.contains(id) {
            try storing { () throws(StorageError) in for name in names { try storage.delete(name) } }
        }
        return running
    }

    private struct SessionListing {
        var sessions: [(id: SessionID, name: ObjectName)] = []
        var heartbeats: [SessionID: [ObjectName]] = [:]
        /// One more than the number of the last heartbeat.
        var heartbeatCounts: [SessionID: UInt64] = [:]
    }

    private func listSessions() throws(RepositoryError) -> SessionListing {
        var listing = SessionListing()
        for name in try storing({ () throws(StorageError) in try storage.list(.sessions) }).map(\.name) {
            if let id = name.sessionID { listing.sessions.append((id, name)) }
            guard let (id, number) = name.heartbeatPlace else { continue }
            listing.heartbeats[id, default: []].append(name)
            listing.heartbeatCounts[id] = max(listing.heartbeatCounts[id] ?? 0, number + 1)
        }
        return listing
    }

    /// Notes for how long each of them was silent.
    private func listen(to sessions: [OpenSession], _ listing: SessionListing) -> [OpenSession] {
        let counts = Dictionary(uniqueKeysWithValues: sessions.map { ($0.id, listing.heartbeatCounts[$0.id] ?? 0) })
        let silence = SilenceLog(repository: id, folder: environment.stateFolder).look(counts, now: environment.now())
        return sessions.map { session in
            var session = session
            session.silentSeconds = silence[session.id]
            return session
        }
    }

    private func isOccupied(_ id: SessionID) throws(RepositoryError) -> Bool {
        try storing { () throws(StorageError) in try storage.stat(.snapshot(id)) } != nil
    }

    /// Nil if it ended meanwhile.
    func readSession(_ id: SessionID) throws(RepositoryError) -> OpenSession? {
        let name = ObjectName.session(id)
        let object: [UInt8]
        do throws(RepositoryError) {
            object = try storing { () throws(StorageError) in try storage.get(name, byteCountMax: UInt64(FormatLimits.recordByteCountMax)) }
        } catch {
            if case .storage(.notFound) = error { return nil }
            throw error
        }
        let binding = sealer.repositoryBinding(.session, name: name.path)
        let document = try sealing(name.path) { () throws(SealingError) in
            let document = try sealer.open(object, binding)
            try verifier.verify(document, binding, .anySlot)
            return document
        }
        let record = try decoding(name.path) { () throws(FormatError) in try SessionRecord(body: document.body) }
        // A name and an id are no proof that it is this machine: clones and containers share them.
        let isHere = record.processSpace == environment.processSpace && !record.processSpace.isEmpty || Mutant.endsForeignSessions.isActive
        let isGone = isHere && record.processID != environment.processID && !environment.isRunning(record.processID)
        return OpenSession(id: id, record: record, isGone: isGone)
    }

    /// Takes the slot if it is free; the session object goes only afterwards (Ordering 8).
    func abort(_ id: SessionID, reason: String) throws(RepositoryError) -> PutOutcome {
        let name = ObjectName.snapshot(id)
        let record = AbortRecord(session: id, reason: reason, time: timestamp)
        let object = sealer.seal(record.body, sealer.repositoryBinding(.abortRecord, name: name.path))
        return try storing { () throws(StorageError) in
            let outcome = try storage.claimWithReserve(name, object)
            try storage.delete(.session(id))
            return outcome
        }
    }
}
