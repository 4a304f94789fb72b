import RepositoryFormat

extension Repository {
    /// What a policy would do to the snapshots that `includes` lets through. Nothing is changed.
    ///
    /// - Throws: what `RetentionPlan` throws; what cannot be read is in the list's problems, is never forgotten and counts for nothing.
    public func retentionPlan(
        _ policy: RetentionPolicy, groupedBy grouping: RetentionGrouping, including includes: (Snapshot) -> Bool = { _ in true }
    ) throws(RepositoryError) -> (plan: RetentionPlan, problems: [Problem]) {
        let list = try snapshots()
        return (try RetentionPlan(list.snapshots.filter(includes), policy, groupedBy: grouping, now: environment.now()), list.problems)
    }
}
