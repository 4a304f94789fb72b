import Bytes
import ImageRepository

/// What was damaged before an operation, and what may be wrong because of it.
struct Damage {
    /// Names of what is damaged or gone.
    let objects: Set<String>
    /// Those that need it: they may fail to be restored, but no restore gives other bytes.
    let snapshots: Set<SnapshotID>
    /// What is damaged, as it is: somebody may know how to read it, so a repair keeps it.
    var bytes: [[UInt8]] = []
    /// Images whose backup brings back what is lost. If there are none, nothing is lost any more once the operation is done.
    var cures: [[UInt8]] = []

    /// Whether it is no surprise that this is found.
    func explains(_ problem: Problem) -> Bool {
        if objects.contains(problem.object) { return true }
        // A chunk of it, or a pack that no index object names now.
        return !problem.snapshots.isEmpty && snapshots.isSuperset(of: problem.snapshots.compactMap { SnapshotID(hexadecimal: $0) })
    }
}
