import Bytes
import RepositoryFormat
import Storage

/// Decides what a repair does about each thing that a check has found. What cannot be proved safe to take away is left, with what to do.
struct RepairPlanner {
    private static let fromCopy = "put it back from a copy of the repository, if there is one"

    let repository: Repository
    let options: RepairOptions

    func plan(_ findings: CheckFindings) throws(RepositoryError) -> RepairPlan {
        var plan = RepairPlan()
        plan.orphans = findings.orphans
        for (name, reason) in findings.badPacks.sorted(by: { $0.key.path < $1.key.path })
        where !findings.loaded.damaged.contains(name) {
            guard let info = findings.loaded.listed[name], let id = name.packID else { continue }
            // Ordering 18a
            if !Mutant.condemnsAtFirstSight.isActive, try repository.judgePack(info, id, findings.loaded.index) {
                plan.leave(name, reason, "a second reading found nothing wrong with it, so it is not condemned; run the command again, and see whether this machine's disk, cable or memory is sound")
            } else {
                plan.damagedPacks.append(RepairPlan.Item(name: name, reason: reason))
            }
        }
        for problem in findings.report.problems {
            guard problem.severity == .error else {
                plan.problems.append(problem)
                continue
            }
            // What is lost of chunks and packs is told by ranges.
            if problem.object.hasPrefix("chunk ") || problem.object.hasPrefix("map chunk ") { continue }
            guard let name = ObjectName(path: problem.object) else {
                plan.problems.append(problem)
                continue
            }
            if findings.badPacks[name] == nil { try decide(name, problem, &plan) }
        }
        return plan
    }

    private func decide(_ name: ObjectName, _ problem: Problem, _ plan: inout RepairPlan) throws(RepositoryError) {
        switch name.kind {
        case .index, .sessions, .condemned, .snapshots:
            switch try repository.judge(name) {
            case .gone where name.kind == .snapshots: drop(name, problem, &plan)
            case .gone: break
            case .sound: plan.problems.append(problem)
            case .unknown(let reason): plan.leave(name, reason, "nothing is certain about it, so it stays", problem.snapshots)
            case .damaged(let reason): decideDamaged(name, reason, problem, &plan)
            }
        case .marks: plan.leave(name, problem.reason, RepairPlanner.fromCopy, problem.snapshots)
        case .config, .keyring, .keys: plan.leave(name, problem.reason, RepairPlanner.fromCopy)
        case .packs, .maps, .verified, .quarantine: plan.problems.append(problem)
        }
    }

    private func decideDamaged(_ name: ObjectName, _ reason: String, _ problem: Problem, _ plan: inout RepairPlan) {
        if name.kind == .snapshots { return drop(name, problem, &plan) }
        if name.verdictID != nil {
            return plan.leave(name, reason, "it stays, because another prune may be following it; \(RepairPlanner.fromCopy), or no prune goes on")
        }
        guard name.kind == .index || name.sessionID != nil || name.condemnedID != nil else { return plan.problems.append(problem) }
        guard name.kind == .index || repository.mayPrune else {
            return plan.leave(name, reason, "a repair with a key that may prune, as one of role full, takes it away")
        }
        plan.quarantined.append(RepairPlan.Item(name: name, reason: reason))
    }

    private func drop(_ name: ObjectName, _ problem: Problem, _ plan: inout RepairPlan) {
        guard options.dropsLostSnapshots else {
            return plan.leave(
                name, problem.reason,
                "\(RepairPlanner.fromCopy). Until then nothing is deleted; “holdfast repair --drop-lost-snapshots” gives it up for good", problem.snapshots)
        }
        guard repository.mayPrune else {
            return plan.leave(name, problem.reason, "giving it up takes a key that may prune, as one of role full", problem.snapshots)
        }
        if !plan.dropped.contains(where: { $0.name == name }) { plan.dropped.append(RepairPlan.Item(name: name, reason: problem.reason)) }
    }
}
