import RepositoryFormat

extension Repository {
    /// Takes a snapshot of all sources together.
    ///
    /// Everything stored is durable when the call returns; the snapshot exists only then. After a failure or a cancellation there is
    /// no snapshot, and what was stored is found again by the next backup.
    /// - Throws: `.image` for a source that fails as a whole, `.storage`, `.cancelled`, `.sessionEnded`, `.notPermitted`, `.invalid`.
    public func backup(
        _ sources: [BackupSource], options: BackupOptions, progress: ProgressCounters, cancellation: Cancellation
    ) throws(RepositoryError) -> BackupReport {
        try permit(.write)
        try requireWriter()
        let run = try BackupRun(self, sources, options, progress, cancellation)
        do throws(RepositoryError) {
            return try run.backup()
        } catch {
            run.abandon()
            throw error
        }
    }
}

extension Repository {
    /// What a slot signs that may not write, or was removed since the repository was opened, nobody would accept.
    ///
    /// - Throws: `.notPermitted`; `.invalid` for a slot that was removed.
    func requireWriter() throws(RepositoryError) {
        try keyrings.refresh()
        guard let own = keyrings.current.slot(slot) else { throw .invalid("the key slot \(slot) was removed from the repository; open it with another key") }
        guard own.may(.write) else { throw .notPermitted(operation: "back up", role: role) }
    }
}
