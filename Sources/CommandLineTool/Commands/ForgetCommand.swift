import ArgumentParser
import Bytes
import ImageRepository
import RepositoryFormat

/// `holdfast forget`
struct ForgetCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Forget snapshots: those named, or all that a policy does not keep.",
        discussion: """
            A forgotten snapshot is hidden, and “holdfast undelete” brings it back until a prune ends it. Without snapshots at least one --keep option is needed. Each group \
            of snapshots (by default those of the same host and images) keeps what any of the rules keeps. Snapshots are counted in the order in which the \
            repository saw them; a time that contradicts this order is moved to where it fits. Periods are those of the calendar in UTC.

            A policy that would keep nothing of a group, or names a tag that no snapshot has, is refused, and nothing is forgotten.
            """)

    @Argument(help: "The first digits of their ids, latest, or latest:HOST.")
    var snapshots: [String] = []

    @OptionGroup(title: "Repository")
    var repository: RepositoryOptions

    @OptionGroup(title: "Policy")
    var retention: RetentionOptions

    @OptionGroup(title: "Selection")
    var selection: SelectionOptions

    @Flag(name: [.customShort("n"), .long], help: "Only show what would be kept and forgotten, and why.")
    var dryRun = false

    @Flag(help: "Prune afterwards, as “holdfast prune” does: then nothing that was forgotten can come back.")
    var prune = false

    @OptionGroup(title: "With --prune")
    var pruning: PruningOptions

    @Flag(help: "Print one JSON object a line, as Specs/json.md describes.")
    var json = false

    var console: Console { Console(format: json ? .json : .text, isQuiet: false) }

    func validate() throws {
        if snapshots.isEmpty, retention.policy.isEmpty {
            throw ValidationError("Say what to keep, such as --keep-daily 7 --keep-monthly 12, or name the snapshots to forget.")
        }
        if dryRun, prune { throw ValidationError("--dry-run shows what would be forgotten, and “holdfast prune --dry-run” what a prune would delete; --prune has no place beside it.") }
        if !pruning.isEmpty, !prune { throw ValidationError("--max-unused and --max-repack are for a prune; add --prune.") }
        if !snapshots.isEmpty, !retention.policy.isEmpty || retention.groupBy != nil {
            throw ValidationError("Name snapshots, or give a policy; not both.")
        }
    }

    func execute(_ console: Console) throws(Failure) -> ExitStatus {
        let repository = try repository.open(console)
        let status = snapshots.isEmpty ? try applyPolicy(repository, console) : try forgetNamed(repository, console)
        if prune {
            guard status == .done else {
                console.warn("nothing was pruned, because of what is reported above")
                return status
            }
            return try PruneText.prune(repository, pruning.options, console)
        }
        return status
    }

    private func applyPolicy(_ repository: Repository, _ console: Console) throws(Failure) -> ExitStatus {
        let (plan, problems) = try repositoryCall { () throws(RepositoryError) in
            try repository.retentionPlan(retention.policy, groupedBy: retention.grouping, including: selection.includes)
        }
        for (number, group) in plan.groups.enumerated() {
            if number > 0 { console.print() }
            console.print("\(group.name): \(group.decisions.count(where: \.isKept)) kept, \(group.decisions.count { !$0.isKept }) forgotten")
            console.print(RetentionText.table(group).lines)
            for decision in group.decisions { console.print(json: RetentionText.json(decision, group.name)) }
        }
        if plan.groups.isEmpty { console.note("No snapshots\(selection.isEmpty ? "" : " fit the selection").") }
        if !dryRun { try repositoryCall { () throws(RepositoryError) in _ = try repository.mark(plan.forgotten, .forget) } }
        report(plan.forgotten, keptCount: plan.groups.reduce(0) { $0 + $1.decisions.count(where: \.isKept) }, console)
        ProblemText.report(problems, console)
        return problems.contains { $0.severity == .error } ? .failed : .done
    }

    private func forgetNamed(_ repository: Repository, _ console: Console) throws(Failure) -> ExitStatus {
        let found = try SnapshotFinder(repository: repository, host: selection.host, tags: selection.tags).findAll(snapshots)
        if !dryRun { try repositoryCall { () throws(RepositoryError) in _ = try repository.mark(found, .forget) } }
        console.print(SnapshotText.table(found).lines)
        report(found, keptCount: nil, console)
        return .done
    }

    private func report(_ forgotten: [Snapshot], keptCount: Int?, _ console: Console) {
        let count = CountText.of(forgotten.count, "snapshot")
        if dryRun {
            console.note("\(count) would be forgotten; nothing was done.")
        } else if forgotten.isEmpty {
            console.note("Nothing to forget.")
        } else {
            console.note(prune ? "Forgot \(count)." : "Forgot \(count). “holdfast undelete” brings \(forgotten.count == 1 ? "it" : "them") back, until “holdfast prune” frees the space.")
        }
        console.print(json: [
            "type": "summary", "operation": "forget", "dry_run": .bool(dryRun), "forgotten": .strings(forgotten.map(\.id.hexadecimal)),
            "kept_count": keptCount.map { .count($0) } ?? .null,
        ])
    }
}
