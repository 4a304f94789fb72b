import Bytes
import RepositoryFormat
import Sealing
import Storage

/// One repair: the repairer's steps, 18a to 18e of Specs/ordering.md. Each may be repeated, so whatever cuts it off, the next one goes on.
final class RepairRun {
    private let repository: Repository
    private let options: RepairOptions
    private let progress: ProgressCounters
    private let cancellation: Cancellation
    private var plan = RepairPlan()
    private var storage: any StorageBackend { repository.storage }

    init(_ repository: Repository, _ options: RepairOptions, _ progress: ProgressCounters, _ cancellation: Cancellation) {
        self.repository = repository
        self.options = options
        self.progress = progress
        self.cancellation = cancellation
    }

    func run() throws(RepositoryError) -> RepairReport {
        var looking = CheckOptions()
        looking.data = options.data
        looking.threadCount = options.threadCount
        let findings = try CheckRun(repository, looking, progress, cancellation, preparesRepair: true).check()
        plan = try RepairPlanner(repository: repository, options: options).plan(findings)
        if !options.isDryRun { try carryOut() }
        return RepairReport(
            snapshotCount: findings.report.snapshotCount, packCount: findings.report.packCount, openedPackCount: findings.report.openedPackCount,
            steps: plan.steps, problems: plan.problems, lost: findings.lost)
    }

    /// What turns out not to be possible moves from the plan's steps to its problems.
    private func carryOut() throws(RepositoryError) {
        try condemn()
        try index()
        var done: [RepairPlan.Item] = []
        for item in plan.quarantined where try quarantine(item) { done.append(item) }
        plan.quarantined = done
        done = []
        for item in plan.dropped where try drop(item) { done.append(item) }
        plan.dropped = done
        // Ordering 18e
        try storing { () throws(StorageError) in try storage.barrier() }
    }

    /// Ordering 18b: writers that begin from now on do not count on these packs.
    private func condemn() throws(RepositoryError) {
        guard !plan.damagedPacks.isEmpty else { return }
        // Another repair may have said so meanwhile.
        let listed = try repository.readCondemnedLists().damagedPacks
        let packs = plan.damagedPacks.map(\.name).filter { !listed.contains($0) }
        guard !packs.isEmpty else { return }
        let list = CondemnedList(
            kind: .damaged, dataPacks: packs.filter { $0.kind == .packs }.compactMap(\.packID), mapPacks: packs.filter { $0.kind == .maps }.compactMap(\.packID))
        for part in list.parts() { _ = try repository.putCondemnedList(part) }
    }

    /// Ordering 18c, which is 6 for packs that somebody else wrote.
    private func index() throws(RepositoryError) {
        guard !plan.orphans.isEmpty else { return }
        try cancellation.check()
        var confirmed: [IndexDocument.Pack] = []
        for pack in plan.orphans {
            let info = try storing { () throws(StorageError) in try storage.stat(pack.name) }
            if info?.byteCount == pack.directory.packByteCount { confirmed.append(pack) }
        }
        // It covers what a stat found, whoever put it.
        try storing { () throws(StorageError) in try storage.barrier() }
        try repository.putIndex(confirmed)
        try storing { () throws(StorageError) in try storage.barrier() }
        plan.orphans = confirmed
    }

    // MARK: Quarantine

    /// Ordering 18d: a copy that is durable, then what must be certain before it goes, then it goes.
    private func quarantine(_ item: RepairPlan.Item) throws(RepositoryError) -> Bool {
        try cancellation.check()
        if !Mutant.takesAwayUncopied.isActive, try !copy(item) { return false }
        if let id = item.name.sessionID {
            // The session object goes with it.
            _ = try repository.abort(id, reason: "its session object was damaged")
            return true
        }
        if let id = item.name.condemnedID, !Mutant.takesListWithoutVerdict.isActive, try !spareAll(id, item) { return false }
        try storing { () throws(StorageError) in try storage.delete(item.name) }
        return true
    }

    /// False if its bytes cannot be had; then it stays.
    private func copy(_ item: RepairPlan.Item) throws(RepositoryError) -> Bool {
        do throws(StorageError) {
            let object = try storage.get(item.name, byteCountMax: RepairRun.copiedByteCountMax)
            let name = ObjectName.quarantined(item.name, ObjectDigest.of(object))
            if try storage.claim(name, object) == .created { return true }
            plan.leave(item.name, item.reason, "\(name) is in the way of keeping a copy: it holds something else; remove it")
        } catch {
            switch error {
            case .notFound: break
            case .tooLarge, .failed, .shortObject: plan.leave(item.name, item.reason, "no copy of it can be kept (\(error)), so it stays")
            default: throw .storage(error)
            }
        }
        return false
    }

    /// Larger than any object that is not a pack may be.
    private static let copiedByteCountMax: UInt64 = 256 << 20

    /// A maintainer that read the list when it could be read may be about to delete what is on it. It does what the verdict says, and the first verdict
    /// counts: one that spares every pack there is, as what is on the list was there before it.
    private func spareAll(_ id: RandomID, _ item: RepairPlan.Item) throws(RepositoryError) -> Bool {
        var verdict = Verdict(sparedDataPacks: [], sparedMapPacks: [], sparesAll: true)
        verdict.sparedDataPacks = try storing { () throws(StorageError) in try storage.list(.packs) }.compactMap(\.name.packID)
        verdict.sparedMapPacks = try storing { () throws(StorageError) in try storage.list(.maps) }.compactMap(\.name.packID)
        let name = ObjectName.verdict(id)
        let object = repository.sealer.seal(verdict.body, repository.sealer.repositoryBinding(.verdict, name: name.path))
        guard object.count <= FormatLimits.condemnedByteCountMax else {
            plan.leave(item.name, item.reason, "there are too many packs to spare them all; it stays")
            return false
        }
        if try storing({ () throws(StorageError) in try storage.claimWithReserve(name, object) }) == .occupied {
            guard try repository.judge(name) == .sound, try repository.readVerdict(id).sparesAll else {
                plan.leave(
                    item.name, item.reason,
                    "a prune has decided about it and may be deleting packs, nobody knows which; put it back from a copy, or, when no prune runs on any machine, remove it by hand")
                return false
            }
        }
        plan.problems.append(
            Problem(
                severity: .warning, object: item.name.path,
                reason: "what it condemned is not known any more; if damaged packs were among it, “holdfast repair --read-data” finds them again"))
        return true
    }

    // MARK: Snapshots

    /// Ordering 18d, for manifests: the final mark comes before the manifest goes.
    private func drop(_ item: RepairPlan.Item) throws(RepositoryError) -> Bool {
        try cancellation.check()
        guard let id = item.name.snapshotID else { return false }
        let isThere = try storing { () throws(StorageError) in try storage.stat(item.name) } != nil
        if isThere, try !copy(item) { return false }
        let state = try repository.readMarks().states[id] ?? MarkState()
        if !state.isFinal, try repository.claimMark(.final, id, number: state.nextNumber) != .created {
            plan.leave(item.name, item.reason, "somebody else marked it at the same moment; run the command again")
            return false
        }
        try storing { () throws(StorageError) in try storage.delete(item.name) }
        return true
    }
}
