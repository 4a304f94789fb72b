import Bytes
import DiskImages
import ImageRepository
import RepositoryFormat
import Sealing
import Storage

/// Backs up one or both disks of its machine, which change in between.
struct Writer: Actor {
    let world: World
    let machine: Machine
    let keyFile: KeyFile

    func act(_ client: Client, _ repository: Repository) throws(RepositoryError) {
        let names = machine.disks.keys.sorted()
        for name in names { change(name) }
        let chosen = world.draw(2) == 0 ? names : [names[Int(world.draw(UInt64(names.count)))]]
        _ = try backUp(chosen, client, repository)
    }

    private func change(_ name: String) {
        // Now and then a disk is set back, and needs again what was forgotten with its snapshots.
        if !machine.formerDisks.isEmpty, world.draw(4) == 0 {
            machine.disks[name] = machine.formerDisks[Int(world.draw(UInt64(machine.formerDisks.count)))]
            return
        }
        if let disk = machine.disks[name] { machine.formerDisks.append(disk) }
        world.withGenerator { machine.disks[name]?.change(using: &$0) }
    }

    func backUp(_ names: [String], _ client: Client, _ repository: Repository) throws(RepositoryError) -> SnapshotID {
        client.contents = machine.disks.filter { names.contains($0.key) }
        let sources = client.contents.sorted { $0.key < $1.key }.map { name, content in
            BackupSource(DiskContentReader(content), identity: SourceIdentity(kind: .file, imageName: name, path: "/\(name)"))
        }
        var options = BackupOptions()
        options.threadCount = world.weather.threadCount
        options.compressionLevel = world.weather.compressionLevel
        if world.draw(4) == 0 { options.parent = .none }
        world.tally[.backups] += 1
        let report = try repository.backup(sources, options: options, progress: ProgressCounters(), cancellation: Cancellation())
        world.oracle.acknowledge(report.snapshot.id)
        world.tally[.acknowledged] += 1
        return report.snapshot.id
    }
}

/// Forgets, and thinks better of it.
struct Forgetter: Actor {
    let world: World
    let machine: Machine
    let keyFile: KeyFile

    func act(_ client: Client, _ repository: Repository) throws(RepositoryError) {
        do throws(RepositoryError) {
            if world.draw(2) == 0 {
                let plan = try repository.retentionPlan(RetentionPolicy(last: 1), groupedBy: [.host]).plan
                world.tally[.forgotten] += try repository.mark(plan.forgotten, .forget).count
                return
            }
            let list = try repository.snapshots(includingForgotten: true).snapshots
            guard !list.isEmpty else { return }
            // What is forgotten is not there for long.
            let forgotten = list.filter(\.isForgotten)
            let choice = forgotten.isEmpty || world.draw(2) == 0 ? list : forgotten
            let snapshot = choice[Int(world.draw(UInt64(choice.count)))]
            switch world.draw(snapshot.isForgotten ? 3 : 6) {
            case 0: world.tally[.undeleted] += try repository.mark([snapshot], .undelete).count
            case 1: world.tally[.protected] += try repository.mark([snapshot], .protect).count
            case 2: _ = try repository.mark([snapshot], .unprotect)
            default: world.tally[.forgotten] += try repository.mark([snapshot], .forget).count
            }
        } catch {
            // Somebody else was first, or it is protected, or gone for good.
            if case .invalid = error { return }
            throw error
        }
    }
}

/// Prunes, as a key that may restore.
struct Pruner: Actor {
    let world: World
    let machine: Machine
    let keyFile: KeyFile

    func act(_ client: Client, _ repository: Repository) throws(RepositoryError) {
        // Somebody who does not want to wait: whoever is at work then must start again.
        if world.draw(3) == 0 {
            for session in try repository.openSessions() {
                if try repository.endSession(session.id, reason: "the prune does not wait") { world.tally[.endedSessions] += 1 }
            }
        }
        do throws(RepositoryError) {
            let report = try Pruner.prune(repository)
            world.tally[.prunesFinished] += report.waitsFor.isEmpty ? 1 : 0
            world.tally[.prunesWaiting] += report.waitsFor.isEmpty ? 0 : 1
            world.tally[.packsSpared] += report.sparedPackCount
            world.tally[.listsAdopted] += report.plan?.openListCount ?? 0
            world.tally[.indexesRewritten] += report.rewrittenIndexCount
        } catch {
            guard !client.isDead, mayStop(error) else { throw error }
            world.tally[.prunesStopped] += 1
        }
    }

    private func mayStop(_ error: RepositoryError) -> Bool {
        switch error {
        // Ordering 12: another maintainer has made final what this one held for live.
        case .lacking(_, .missingChunk): true
        // An index and no snapshot: the first backup has not got so far, which nobody can tell from a loss.
        case .damaged("snapshots", _) where !world.oracle.hasSeenSnapshot: true
        // Its session was ended while it copied, and what it had written was nobody's.
        case .damaged(_, let reason) where reason.hasPrefix("it was stored and is not there whole"): world.tally[.endedSessions] > 0
        // Another prune has ended the snapshot between the reading of its marks and the listing of manifests.
        case .damaged(let object, let reason):
            reason.hasSuffix("nothing is deleted while snapshots may be missing")
                && (object == "snapshots" ? world.tally[.finalMarks] > 0 : isFinal(object))
        default: false
        }
    }

    private func isFinal(_ path: String) -> Bool {
        guard let name = ObjectName(path: path), let id = SnapshotID(hexadecimal: name.leaf) else { return false }
        return world.oracle.chain(id).isFinal
    }

    /// The one place where a run prunes.
    static func prune(_ repository: Repository) throws(RepositoryError) -> PruneReport {
        try repository.prune(cancellation: Cancellation())
    }
}

/// Ends sessions that are silent, and now and then one that is not: then its backup fails and nothing else.
struct Maintainer: Actor {
    let world: World
    let machine: Machine
    let keyFile: KeyFile

    func act(_ client: Client, _ repository: Repository) throws(RepositoryError) {
        for session in try repository.openSessions() where world.isSilent(session.record.processID) || world.draw(8) == 0 {
            if try repository.endSession(session.id, reason: "it is silent") { world.tally[.endedSessions] += 1 }
        }
    }
}

struct Checker: Actor {
    let world: World
    let machine: Machine
    let keyFile: KeyFile

    func act(_ client: Client, _ repository: Repository) throws(RepositoryError) {
        let report = try Checker.check(repository, world.draw(3) == 0 ? .all : .structure, world)
        if client.isDead { return }
        for problem in report.problems where problem.severity == .error {
            // What is forgotten and pruned while the check runs may be found half gone.
            let concerned = problem.snapshots.compactMap { SnapshotID(hexadecimal: $0) }
            if !concerned.isEmpty, concerned.allSatisfy({ world.oracle.chain($0).isFinal }) { continue }
            if client.hasMetFault, problem.reason.contains("does not answer") { continue }
            Violation.report("a check found \(problem.object): \(problem.reason) \(problem.snapshots)")
        }
    }

    static func check(_ repository: Repository, _ data: CheckOptions.Data, _ world: World) throws(RepositoryError) -> CheckReport {
        var options = CheckOptions()
        options.data = data
        options.threadCount = 2
        let report = try repository.check(options, progress: ProgressCounters(), cancellation: Cancellation())
        world.tally[data == .structure ? .checks : .checksOfData] += 1
        return report
    }
}

/// Restores a snapshot and compares it with the disk that was backed up.
struct Restorer: Actor {
    let world: World
    let machine: Machine
    let keyFile: KeyFile

    func act(_ client: Client, _ repository: Repository) throws(RepositoryError) {
        let list = try repository.snapshots().snapshots
        guard !list.isEmpty else { return }
        let snapshot = list[Int(world.draw(UInt64(list.count)))]
        do throws(RepositoryError) {
            try Restorer.restore(snapshot, repository, world)
        } catch {
            // It was forgotten and pruned meanwhile.
            guard world.oracle.chain(snapshot.id).isFinal else { throw error }
            world.tally[.restoresOfForgotten] += 1
        }
    }

    static func restore(_ snapshot: Snapshot, _ repository: Repository, _ world: World) throws(RepositoryError) {
        guard let contents = world.oracle.contents(of: snapshot.id) else { Violation.report("snapshot \(snapshot.id) is listed, and nobody made it") }
        guard contents.count == snapshot.manifest.images.count else { Violation.report("snapshot \(snapshot.id) has \(snapshot.manifest.images.count) images") }
        for image in snapshot.manifest.images {
            guard let content = contents[image.name] else { Violation.report("snapshot \(snapshot.id) has an image \(image.name)") }
            let writer = DiskContentWriter(expecting: content)
            var options = RestoreOptions()
            options.threadCount = 1
            _ = try repository.restore(
                image, to: writer, targetName: image.name, options: options, progress: ProgressCounters(), cancellation: Cancellation())
            if let difference = writer.difference { Violation.report("snapshot \(snapshot.id), \(image.name): \(difference)") }
        }
        world.tally[.restores] += 1
    }
}
