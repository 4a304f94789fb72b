import RepositoryFormat
import Storage

extension Repository {
    /// Deletes what nothing needs: forgotten snapshots for good, and every pack without a chunk that a snapshot reaches. Packs of which too little is needed,
    /// and small ones, are repacked. Backups may run meanwhile.
    ///
    /// - Throws: `.notPermitted`; `.damaged`, `.lacking` if it is not certain what is needed: nothing is deleted then. After any failure the next prune goes on.
    public func prune(_ options: PruneOptions = PruneOptions(), cancellation: Cancellation) throws(RepositoryError) -> PruneReport {
        try permitPrune()
        // Another prune may replace an index object between its listing and its reading: then all is looked at again. Every step may be repeated.
        let run = PruneRun(self, options, cancellation)
        for _ in 0..<4 {
            do throws(RepositoryError) { return try run.run() } catch {
                guard error.isVanishedObject else { throw error }
            }
        }
        return try run.run()
    }

    /// What `prune` would do. Nothing is changed.
    public func prunePlan(_ options: PruneOptions = PruneOptions(), cancellation: Cancellation) throws(RepositoryError) -> PrunePlan {
        try permitPrune()
        return try PruneRun(self, options, cancellation).plan()
    }

    private func permitPrune() throws(RepositoryError) {
        try demandPrune()
        try permit(.write)
        try permit(.prune)
    }
}
