import RepositoryFormat
import Storage
import Synchronization

extension Repository {
    /// Looks for everything that is wrong, and names the snapshots concerned. Changes nothing.
    ///
    /// A key of role backup can check the structure; opening data takes role full.
    /// - Throws: only what makes checking itself impossible; what is found is in the report.
    public func check(
        _ options: CheckOptions, progress: ProgressCounters, cancellation: Cancellation
    ) throws(RepositoryError) -> CheckReport {
        if options.data != .structure { try demand(.full, to: "check data") }
        for _ in 1..<Repository.checkCountMax {
            let before = try indexNames()
            let report = try CheckRun(self, options, progress, cancellation).check().report
            // Ordering 17: where the index has changed meanwhile, a prune may have moved what seems to be missing.
            if report.isClean { return report }
            if try indexNames() == before { return report }
            progress.doneByteCount.store(0, ordering: .relaxed)
        }
        return try CheckRun(self, options, progress, cancellation).check().report
    }

    /// What was found is believed after so many checks at the latest.
    private static let checkCountMax = 3

    private func indexNames() throws(RepositoryError) -> Set<ObjectName> {
        Set(try storing { () throws(StorageError) in try storage.list(.index) }.map(\.name))
    }
}
