import RepositoryFormat
import Storage

/// What a repair is going to do, and what it leaves. The order of the steps is in Specs/ordering.md.
struct RepairPlan {
    struct Item {
        let name: ObjectName
        let reason: String
    }

    /// Packs to be put on a list of kind `damaged`.
    var damagedPacks: [Item] = []
    /// Packs to be put into the index.
    var orphans: [IndexDocument.Pack] = []
    /// Index objects, sessions, condemned lists: to be copied and taken away.
    var quarantined: [Item] = []
    /// Manifests to be given up: damaged, or missing.
    var dropped: [Item] = []
    /// What is left as it is.
    var problems: [Problem] = []

    var steps: [RepairStep] {
        damagedPacks.map { RepairStep(action: .condemn, object: $0.name.path, reason: $0.reason) }
            + orphans.map { RepairStep(action: .index, object: $0.name.path, reason: "no index object names it") }
            + quarantined.map { RepairStep(action: .quarantine, object: $0.name.path, reason: $0.reason) }
            + dropped.map { RepairStep(action: .drop, object: $0.name.path, reason: $0.reason) }
    }

    mutating func leave(_ name: ObjectName, _ reason: String, _ advice: String, _ snapshots: [String] = []) {
        problems.append(Problem(severity: .error, object: name.path, reason: "\(reason); \(advice)", snapshots: snapshots))
    }
}
