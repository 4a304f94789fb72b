import RepositoryFormat

extension Repository {
    /// Looks for everything that is wrong, and names the snapshots concerned. Changes nothing.
    ///
    /// A key of role backup can check the structure; opening data takes role full.
    /// - Throws: only what makes checking itself impossible; what is found is in the report.
    public func check(
        _ options: CheckOptions, progress: ProgressCounters, cancellation: Cancellation
    ) throws(RepositoryError) -> CheckReport {
        if options.data != .structure { try demand(.full, to: "check data") }
        let run = CheckRun(self, options, progress, cancellation)
        return try run.check().report
    }
}
