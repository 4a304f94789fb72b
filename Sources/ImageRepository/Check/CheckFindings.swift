import RepositoryFormat
import Storage

/// What a check found, in terms that a repair can act on.
struct CheckFindings {
    let report: CheckReport
    let loaded: LoadedIndex
    /// Packs that are missing or that something is wrong with, and what.
    let badPacks: [ObjectName: String]
    /// Packs that no index object names, with their directories.
    let orphans: [IndexDocument.Pack]
    /// What cannot be restored of snapshots whose manifests can be read.
    let lost: [LostRanges]
}
