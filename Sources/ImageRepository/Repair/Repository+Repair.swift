import RepositoryFormat

extension Repository {
    /// Looks for damage as `check` does, mends what can be mended, and tells which bytes of which snapshots are lost.
    ///
    /// Nothing that can be read is deleted, and no pack is. May be interrupted at any moment, and run beside backups, prunes and other repairs; the next one goes on.
    /// A key without the capability `prune` does what needs none, and says what is left.
    /// - Throws: `.notPermitted` without the capability `write`, unless it is a dry run; otherwise what makes looking itself impossible.
    public func repair(
        _ options: RepairOptions, progress: ProgressCounters, cancellation: Cancellation
    ) throws(RepositoryError) -> RepairReport {
        if !options.isDryRun {
            try keyrings.refresh()
            guard keyrings.current.slot(slot)?.may(.write) == true else { throw .notPermitted(operation: "repair", role: role) }
            try permit(.write)
        }
        return try RepairRun(self, options, progress, cancellation).run()
    }

    /// Whether the open key may end sessions, snapshots and lists.
    var mayPrune: Bool { keyrings.current.slot(slot)?.may(.prune) == true }
}
