/// A broken rule. A campaign that cannot fail proves nothing: with each of these some seed must fail.
///
/// Each is made where the storage answers, so that the program itself stays as it is: what a client would not do it does in vain.
enum Mutant: String, CaseIterable, Sendable {
    /// Writers read no condemned lists (Ordering 3).
    case listsUnread
    /// Sessions are listed before the condemned list is there (Ordering 10).
    case sessionsListedEarly
    /// Snapshots are listed before the condemned list is there, and so before final marks (Ordering 11).
    case snapshotsListedEarly
    /// Whoever finds a verdict follows his own (Ordering 13).
    case verdictIgnored
    /// Nobody makes names durable before the commit, and the power fails (Ordering 6).
    case noBarrier
    /// An occupied slot is taken for one's own (Ordering 7).
    case abortIgnored
    /// Packs are listed that are gone (Ordering 4).
    case packsListedLate

    /// Needs a pruner that sleeps between its decision and its deletions while another works off the same list and a backup relies on what was spared: no seed of the
    /// first 83 has that. Specs/protocol has the run that loses a chunk.
    static let rare = verdictIgnored
}
