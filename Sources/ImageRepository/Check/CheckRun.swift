import Bytes
import Packing
import RepositoryFormat
import Storage

/// One check. The order is that of readers: snapshots first, then the index (Specs/ordering.md).
final class CheckRun {
    let repository: Repository
    let options: CheckOptions
    let progress: ProgressCounters
    let cancellation: Cancellation
    var problems: [Problem] = []
    /// The last snapshot that this machine committed before the check, if it remembers one.
    private(set) var lastSnapshot: SnapshotID?
    /// Packs that something is wrong with; whoever needs one is concerned.
    var badPacks: [ObjectName: String] = [:]
    /// Packs with sound directories that no index object names.
    var orphans: [IndexDocument.Pack] = []
    /// What comparing parts of chunks with what maps say of them gave.
    var comparedParts = ComparedParts()
    /// For a repair: packs that no index object names count, since they will be indexed, and packs are opened whole where a map could not be read.
    let preparesRepair: Bool

    init(
        _ repository: Repository, _ options: CheckOptions, _ progress: ProgressCounters, _ cancellation: Cancellation, preparesRepair: Bool = false
    ) {
        self.repository = repository
        self.preparesRepair = preparesRepair
        self.options = options
        self.progress = progress
        self.cancellation = cancellation
    }

    func check() throws(RepositoryError) -> CheckFindings {
        // Before the snapshots are listed: one that is committed meanwhile is not missing.
        do throws(RepositoryError) {
            lastSnapshot = try repository.pinFile.read()?.lastSnapshot
        } catch { report(.warning, repository.pinFile.path ?? "", error.reason) }
        try checkKeys()
        try checkNames()
        let list = try repository.snapshots(includingForgotten: true)
        problems += list.problems
        try checkSessions()
        try checkVerdicts()
        let loaded = try repository.loadIndex(trustsCache: false)
        problems += loaded.problems
        checkPresence(loaded)
        try checkOrphans(loaded)
        let (references, unreadable) = try findParts(list, loaded)
        let opened = try checkPacks(loaded, references)
        badPacks.merge(unreadable) { whole, _ in whole }
        if preparesRepair { for pack in orphans { loaded.index.add(pack, isCounting: false) } }
        try checkHistory(list)
        let (users, lost) = try checkMaps(list, loaded)
        reportPacks(loaded, users)
        let quarantined = try storing { () throws(StorageError) in try repository.storage.list(.quarantine) }
        let report = CheckReport(
            snapshotCount: list.snapshots.count, packCount: loaded.listed.count, openedPackCount: opened, chunkCount: loaded.index.chunkCount,
            comparedPartCount: comparedParts.count, partSample: references.sample,
            quarantinedCount: quarantined.count, problems: problems)
        return CheckFindings(report: report, loaded: loaded, badPacks: badPacks, orphans: orphans, lost: lost)
    }

    func report(_ severity: Problem.Severity, _ object: String, _ reason: String, _ snapshots: [String] = []) {
        problems.append(Problem(severity: severity, object: object, reason: reason, snapshots: snapshots))
    }

    // MARK: Keys and sessions

    private func checkKeys() throws(RepositoryError) {
        do throws(RepositoryError) {
            guard try Repository.readConfig(repository.storage) == repository.config else {
                throw .damaged(object: "config", reason: "it is not the one this repository was opened with")
            }
        } catch {
            if case .storage(.unavailable) = error { throw error }
            report(.error, "config", error.reason)
        }
        problems += try repository.keyrings.problems()
        for slot in repository.slots {
            let name = ObjectName.key(slot.id).path
            do throws(RepositoryError) {
                if try Repository.readSlot(repository.storage, slot) == nil { throw .damaged(object: name, reason: "it is missing; its password or key file opens nothing") }
            } catch {
                if case .storage(.unavailable) = error { throw error }
                report(.error, name, error.reason)
            }
        }
        let known = Set(repository.slots.map { ObjectName.key($0.id) })
        for info in try storing({ () throws(StorageError) in try repository.storage.list(.keys) }) where !known.contains(info.name) {
            report(.warning, info.name.path, "the keyring does not name it; it opens nothing")
        }
    }

    /// What nobody reads may still be what somebody misses. Key slots are compared with the keyring anyway.
    private func checkNames() throws(RepositoryError) {
        for kind in ObjectKind.allCases where kind.isFolder && !kind.isFannedOut && kind != .keys {
            for info in try storing({ () throws(StorageError) in try repository.storage.list(kind) }) where !info.name.isKnown {
                report(.warning, info.name.path, "no object has such a name; it is ignored")
            }
        }
    }

    private func checkSessions() throws(RepositoryError) {
        for info in try storing({ () throws(StorageError) in try repository.storage.list(.sessions) }) {
            guard let id = info.name.sessionID else { continue }
            do throws(RepositoryError) {
                _ = try repository.readSession(id)
            } catch {
                if case .storage(.unavailable) = error { throw error }
                report(.error, info.name.path, error.reason)
            }
        }
    }

    /// Those of lists that are gone, too: a maintainer that wakes up late still follows them.
    private func checkVerdicts() throws(RepositoryError) {
        let names = Set(try storing { () throws(StorageError) in try repository.storage.list(.condemned) }.map(\.name))
        for name in names.sorted(by: { $0.leaf < $1.leaf }) {
            guard let id = name.verdictID else { continue }
            do throws(RepositoryError) { _ = try repository.readVerdict(id) } catch {
                if case .storage(.unavailable) = error { throw error }
                if names.contains(.condemned(id)) {
                    report(.error, name.path, error.reason)
                } else {
                    report(.warning, name.path, "\(error.reason). Its list is gone, so a prune has carried it out; it stays, as verdicts do")
                }
            }
        }
    }

    // MARK: Maps

    /// What maps say of parts of chunks, if data will be read, and by a key that can; and what was wrong with map packs then.
    private func findParts(_ list: SnapshotList, _ loaded: LoadedIndex) throws(RepositoryError) -> (PartReferences, bad: [ObjectName: String]) {
        guard options.data != .structure, repository.dataKeys != nil else { return (PartReferences(), [:]) }
        var walk = PartWalk(repository, loaded.index, cancellation)
        for snapshot in list.snapshots {
            for tree in MapTree.all(of: snapshot.manifest) { try walk.add(tree.whole) }
        }
        return (walk.finish(), walk.badPacks)
    }

    /// Walks all map trees; every id must have a location. Returns which snapshots need which of the bad packs, and what cannot be restored.
    private func checkMaps(
        _ list: SnapshotList, _ loaded: LoadedIndex
    ) throws(RepositoryError) -> (users: [ObjectName: Set<SnapshotID>], lost: [LostRanges]) {
        var users: [ObjectName: Set<SnapshotID>] = [:]
        var lost: [LostRanges] = []
        let packs = loaded.index.packs
        // Subtrees shared with an earlier snapshot are known, with the bad packs that they need and what was wrong.
        var walk = MapWalk(repository, index: loaded.index, packs: packs, bad: Set(badPacks.keys), wrongParts: comparedParts.wrong)
        for snapshot in list.snapshots {
            try cancellation.check()
            for tree in MapTree.all(of: snapshot.manifest) {
                let outcome = try walk.outcome(of: tree.whole)
                for pack in outcome.badPacks { users[packs[Int(pack)].name, default: []].insert(snapshot.id) }
                for problem in outcome.problems {
                    report(.error, problem.object, problem.reason, [snapshot.id.hexadecimal])
                }
                let ranges = tree.record?.placed(outcome.lost) ?? outcome.lost
                if !ranges.isEmpty { lost.append(LostRanges(snapshot: snapshot.id, image: tree.image, volume: tree.volume, ranges: ranges)) }
            }
        }
        joinProblems()
        try openSuspects(walk.suspects.subtracting(badPacks.keys), loaded)
        return (users, lost)
    }

    /// One problem with all its snapshots, instead of one for each.
    private func joinProblems() {
        var joined: [Problem] = []
        var places: [String: Int] = [:]
        for problem in problems {
            let key = "\(problem.object)\u{0}\(problem.reason)"
            if let place = places[key] {
                joined[place].snapshots = Array(Set(joined[place].snapshots + problem.snapshots)).sorted()
            } else {
                places[key] = joined.count
                joined.append(problem)
            }
        }
        problems = joined
    }
}
