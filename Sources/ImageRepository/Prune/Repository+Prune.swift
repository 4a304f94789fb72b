import RepositoryFormat

extension Repository {
    /// Deletes what nothing needs: forgotten snapshots for good, and every pack without a chunk that a snapshot reaches. Backups may run meanwhile.
    ///
    /// - Throws: `.notPermitted`; `.damaged`, `.missingChunk` if it is not certain what is needed: nothing is deleted then. After any failure the next prune goes on.
    public func prune(cancellation: Cancellation) throws(RepositoryError) -> PruneReport {
        try permitPrune()
        return try PruneRun(self, cancellation).run()
    }

    /// What `prune` would do. Nothing is changed.
    public func prunePlan(cancellation: Cancellation) throws(RepositoryError) -> PrunePlan {
        try permitPrune()
        return try PruneRun(self, cancellation).plan()
    }

    private func permitPrune() throws(RepositoryError) {
        try demandPrune()
        try permit(.write)
        try permit(.prune)
    }
}
