import Bytes
import Packing
import RepositoryFormat
import Sealing
import Storage
import Synchronization
import Threading

/// One check. The order is that of readers: snapshots first, then the index (Specs/ordering.md).
final class CheckRun {
    private static let missing = "it is missing"

    private let repository: Repository
    private let options: CheckOptions
    private let progress: ProgressCounters
    private let cancellation: Cancellation
    private var problems: [Problem] = []
    /// The last snapshot that this machine committed before the check, if it remembers one.
    private var lastSnapshot: SnapshotID?
    /// Packs that something is wrong with; whoever needs one is concerned.
    private var badPacks: [ObjectName: String] = [:]
    /// Packs with sound directories that no index object names.
    private var orphans: [IndexDocument.Pack] = []
    /// For a repair: packs that no index object names count, since they will be indexed, and packs are opened whole where a map could not be read.
    private let preparesRepair: Bool

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
        } catch { report(.warning, repository.environment.stateFolder ?? "", error.reason) }
        try checkKeys()
        let list = try repository.snapshots(includingForgotten: true)
        problems += list.problems
        try checkSessions()
        try checkVerdicts()
        let loaded = try repository.loadIndex(trustsCache: false)
        problems += loaded.problems
        checkPresence(loaded)
        try checkOrphans(loaded)
        let opened = try checkPacks(loaded)
        if preparesRepair { for pack in orphans { loaded.index.add(pack, isCounting: false) } }
        try checkHistory(list)
        let (users, lost) = try checkMaps(list, loaded)
        reportPacks(loaded, users)
        let quarantined = try storing { () throws(StorageError) in try repository.storage.list(.quarantine) }
        let report = CheckReport(
            snapshotCount: list.snapshots.count, packCount: loaded.listed.count, openedPackCount: opened, chunkCount: loaded.index.chunkCount,
            quarantinedCount: quarantined.count, problems: problems)
        return CheckFindings(report: report, loaded: loaded, badPacks: badPacks, orphans: orphans, lost: lost)
    }

    private func reportPacks(_ loaded: LoadedIndex, _ users: [ObjectName: Set<SnapshotID>]) {
        for (pack, reason) in badPacks.sorted(by: { $0.key.path < $1.key.path }) {
            let isNeeded = users[pack] != nil
            if reason == CheckRun.missing, !isNeeded {
                report(.warning, pack.path, "it is missing, and no snapshot needs it: a prune was interrupted; the next one takes it off the index")
            } else if loaded.damaged.contains(pack), !isNeeded {
                report(.warning, pack.path, "\(reason). A repair has condemned it, and no snapshot needs what is lost of it")
            } else {
                report(.error, pack.path, reason, (users[pack] ?? []).map(\.hexadecimal).sorted())
            }
        }
    }

    private func report(_ severity: Problem.Severity, _ object: String, _ reason: String, _ snapshots: [String] = []) {
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

    private func checkSessions() throws(RepositoryError) {
        for info in try storing({ () throws(StorageError) in try repository.storage.list(.sessions) }) where !info.name.leaf.contains(".") {
            guard let id = SessionID(hexadecimal: info.name.leaf) else {
                report(.error, info.name.path, "its name is not that of a session")
                continue
            }
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

    /// Snapshots that later ones name must be there, as they were.
    private func checkHistory(_ list: SnapshotList) throws(RepositoryError) {
        let marks = try repository.readMarks().states
        /// Known by name; of others only that there were so many can be known.
        var missing: Set<SnapshotID> = []
        if let problem = repository.missing(lastSnapshot, in: list, marks) {
            problems.append(problem)
            missing.formUnion([lastSnapshot].compactMap { $0 })
        }
        let present = Dictionary(uniqueKeysWithValues: list.snapshots.map { ($0.id, $0.digest) })
        var reported: Set<SnapshotID> = []
        for snapshot in list.snapshots {
            for head in snapshot.manifest.heads where marks[head.snapshot]?.isFinal != true {
                guard present[head.snapshot] != head.digest, reported.insert(head.snapshot).inserted else { continue }
                // One that is there and could not be read is reported already.
                guard !list.problems.contains(where: { $0.snapshots.contains(head.snapshot.hexadecimal) }) else { continue }
                let name = ObjectName.snapshot(head.snapshot).path
                if present[head.snapshot] == nil { missing.insert(head.snapshot) }
                let reason = present[head.snapshot] == nil
                    ? "it is missing, though snapshot \(snapshot.id) has seen it and nobody has forgotten it"
                    : "it is not the manifest that snapshot \(snapshot.id) has seen"
                report(.error, name, reason, [head.snapshot.hexadecimal])
            }
            if snapshot.manifest.keyringNumber > repository.keyrings.current.number {
                report(.error, "keyring", "snapshot \(snapshot.id) has seen keyring \(snapshot.manifest.keyringNumber), and the newest here is \(repository.keyrings.current.number): keys were put back")
            }
        }
        let knownCount = marks.values.count(where: \.isFinal) + missing.count
        for snapshot in list.snapshots { checkSeen(snapshot, list, knownCount: knownCount) }
    }

    /// Whoever wrote a manifest had seen so many snapshots, all of lower ordinals; of those only ones with a final mark may be gone.
    ///
    /// - Parameter knownCount: those with a final mark, and those that are reported as missing already.
    private func checkSeen(_ snapshot: Snapshot, _ list: SnapshotList, knownCount: Int) {
        let unreadableCount = Set(list.problems.flatMap(\.snapshots)).subtracting(list.snapshots.map(\.id.hexadecimal)).count
        let earlierCount = list.snapshots.count { $0.manifest.ordinal < snapshot.manifest.ordinal }
        guard UInt64(earlierCount + unreadableCount + knownCount) < snapshot.manifest.seen.count else { return }
        report(.error, "snapshots", "snapshots are missing: \(snapshot.id) was written after \(snapshot.manifest.seen.count) others, and \(earlierCount) of them are here")
    }

    // MARK: Packs

    /// Every pack of the index is there with its size.
    private func checkPresence(_ loaded: LoadedIndex) {
        for pack in loaded.index.packs {
            guard let info = loaded.listed[pack.name] else {
                badPacks[pack.name] = CheckRun.missing
                continue
            }
            if info.byteCount != pack.byteCount { badPacks[pack.name] = "it has \(info.byteCount) bytes and should have \(pack.byteCount)" }
        }
    }

    /// Packs that no index object names: of sessions that run or were killed, or of an index object that is gone.
    private func checkOrphans(_ loaded: LoadedIndex) throws(RepositoryError) {
        let packs = PackFile(storage: repository.storage, sealer: repository.sealer, verifier: repository.verifier)
        for (id, info) in loaded.listedPacks where !loaded.index.contains(id) {
            do throws(PackingError) {
                let directory = try packs.readDirectory(info, info.name.kind == .packs ? .data : .map)
                orphans.append(IndexDocument.Pack(id: id, directory: directory))
                if preparesRepair { continue }
                report(.warning, info.name.path, "no index object names it; a backup is running or was killed, or an index object was lost. The next backup adopts it, and “holdfast repair” does")
            } catch {
                switch error {
                case .storage(.notFound): continue
                case .storage(.unavailable): throw RepositoryError(error)
                case .damaged: badPacks[info.name] = RepositoryError(error).reason
                default: report(.error, info.name.path, RepositoryError(error).reason)
                }
            }
        }
    }

    /// Reads and opens whole packs: as many as the options ask for, and those that a repair found damaged, of which it must be known what is left. Returns how many.
    private func checkPacks(_ loaded: LoadedIndex) throws(RepositoryError) -> Int {
        var generator = SystemRandomNumberGenerator()
        var chosen: [(ObjectInfo, PackID)] = []
        for (id, info) in loaded.listedPacks {
            let isChosen =
                switch options.data {
                case .structure: false
                case .sample(let percent): info.name.kind == .maps || Double.random(in: 0..<100, using: &generator) < percent
                case .all: true
                }
            if isChosen || loaded.damaged.contains(info.name) { chosen.append((info, id)) }
        }
        progress.totalByteCount.store(chosen.reduce(0) { $0 + $1.0.byteCount }, ordering: .relaxed)
        try open(chosen, loaded)
        return chosen.count
    }

    /// Reads these packs whole.
    private func open(_ chosen: [(ObjectInfo, PackID)], _ loaded: LoadedIndex) throws(RepositoryError) {
        guard !chosen.isEmpty else { return }
        let checker = PackChecker(repository, loaded.index)
        let work = Monitor(chosen[...])
        let found = Monitor<[ObjectName: String]>([:])
        let failure = FirstFailure<RepositoryError>()
        let (progress, cancellation) = (progress, cancellation)
        // One more than cores: a thread that waits for the storage leaves its core to another.
        onThreads(max(1, options.threadCount ?? usableCoreCount() + 1), "check") { _ in
            while failure.value == nil, !cancellation.isCancelled, let (info, id) = work.withLock({ $0.popFirst() }) {
                do throws(RepositoryError) {
                    if let reason = try checker.problem(info, id) { found.withLock { $0[info.name] = reason } }
                } catch { failure.record(error) }
                progress.readByteCount.add(info.byteCount, ordering: .relaxed)
                progress.doneByteCount.add(info.byteCount, ordering: .relaxed)
            }
        }
        try failure.check()
        try cancellation.check()
        badPacks.merge(found.withLock { $0 }) { first, _ in first }
    }

    // MARK: Maps

    /// Walks all map trees; every id must have a location. Returns which snapshots need which of the bad packs, and what cannot be restored.
    private func checkMaps(
        _ list: SnapshotList, _ loaded: LoadedIndex
    ) throws(RepositoryError) -> (users: [ObjectName: Set<SnapshotID>], lost: [LostRanges]) {
        var users: [ObjectName: Set<SnapshotID>] = [:]
        var lost: [LostRanges] = []
        let packs = loaded.index.packs
        // Subtrees shared with an earlier snapshot are known, with the bad packs that they need and what was wrong.
        var walk = MapWalk(repository, index: loaded.index, packs: packs, bad: Set(badPacks.keys))
        for snapshot in list.snapshots {
            try cancellation.check()
            for tree in MapTree.all(of: snapshot.manifest) {
                let outcome = try walk.outcome(of: tree.root, level: tree.geometry.depth, firstBand: 0, tree.geometry)
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

    /// A map chunk could not be read: what its pack is good for is found by reading all of it.
    private func openSuspects(_ suspects: Set<ObjectName>, _ loaded: LoadedIndex) throws(RepositoryError) {
        guard preparesRepair else { return }
        try open(loaded.listedPacks.filter { suspects.contains($0.info.name) }.map { ($0.info, $0.id) }, loaded)
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
