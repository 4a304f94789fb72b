import Bytes
import DiskImages
import ImageRepository
import RepositoryFormat
import Sealing
import Storage

/// What is looked at when all clients have finished or died and nothing goes wrong any more.
struct Ending {
    let world: World
    let keyFile: KeyFile
    let options: Run.Options

    func run() throws(RepositoryError) {
        let client = world.start(on: world.machines[0])
        let repository = try Repository.open(
            on: ClientStorage(world: world, client: client), credential: .keyFile(keyFile),
            environment: client.environment(world, cacheFolder: client.machine.cacheFolder))
        world.tally[.endings] += 1
        try requireClean(repository, "at the end")
        for session in try repository.openSessions() where !world.isSilent(session.record.processID) {
            Violation.report("session \(session.id) is open, and its client has finished")
        }
        let writer = Writer(world: world, machine: client.machine, keyFile: keyFile)
        let last = try writer.backUp(["a", "b"], client, repository)
        // The dead of other machines are silent: a prune that hears nothing of them for a day ends them.
        _ = try Pruner.prune(repository)
        world.passMonth()
        let pruned = try Pruner.prune(repository)
        guard pruned.waitsFor.isEmpty else { Violation.report("the last prune waits for \(pruned.waitsFor.map(\.id))") }
        try pruneUntilDone(repository)
        let problems = try Checker.check(repository, .all, world).problems
        guard problems.isEmpty else { Violation.report("after the last backup and prune a check found \(problems)") }
        guard world.oracle.living.contains(last) else { Violation.report("the last backup is not there") }
        try requireNothingLeft()
        try restoreAll(repository)
        // One in eight tells how large repositories become; with the bound each must keep it.
        if options.boundsSize || world.seed % 8 == 0 { try compareSize(repository) }
        if world.seed % 10 == 0 { try findDamage(repository) }
    }

    /// Packs that one prune has written small another may merge; that comes to an end.
    private func pruneUntilDone(_ repository: Repository) throws(RepositoryError) {
        for _ in 0..<4 {
            let again = try Pruner.prune(repository)
            guard again.snapshotCount == 0 else { Violation.report("a second prune has ended \(again.snapshotCount) snapshots") }
            if again.deleted.count == 0, again.rewrittenIndexCount == 0 { return }
            world.tally[.prunesAgain] += 1
        }
        Violation.report("each prune finds more to do")
    }

    private func requireClean(_ repository: Repository, _ moment: String) throws(RepositoryError) {
        let report = try Checker.check(repository, .structure, world)
        if let problem = report.problems.first(where: { $0.severity == .error }) { Violation.report("\(moment) a check found \(problem)") }
    }

    /// All that lives is listed, and each comes back bit for bit.
    private func restoreAll(_ repository: Repository) throws(RepositoryError) {
        let snapshots = try repository.snapshots(includingForgotten: true).snapshots
        guard snapshots.map(\.id.hexadecimal).sorted() == world.oracle.living.map(\.hexadecimal) else {
            Violation.report("\(snapshots.count) snapshots are listed, and there should be \(world.oracle.living.count)")
        }
        for snapshot in snapshots {
            guard snapshot.isForgotten == world.oracle.chain(snapshot.id).isForgotten else { Violation.report("snapshot \(snapshot.id) is forgotten or not") }
            try Restorer.restore(snapshot, repository, world)
        }
    }

    /// No session, no open list: everything that was begun is finished.
    private func requireNothingLeft() throws(RepositoryError) {
        if let session = world.storage.names(.sessions).keys.first { Violation.report("\(session) is left") }
        if let list = world.storage.names(.condemned).keys.first(where: { !$0.leaf.hasSuffix(".verdict") }) { Violation.report("\(list) is left") }
    }

    private func compareSize(_ repository: Repository) throws(RepositoryError) {
        let client = world.start(on: world.machines[0])
        let fresh = MemoryStorage()
        let credential = KeyFile.random()
        var environment = client.environment(world, cacheFolder: nil)
        environment.stateFolder = nil
        var creation = Repository.CreationOptions()
        creation.averageChunkByteCount = 16 << 10
        _ = try Repository.create(on: fresh, credential: .keyFile(credential), options: creation, environment: environment)
        let copy = try Repository.open(on: fresh, credential: .keyFile(credential), environment: environment)
        for snapshot in try repository.snapshots(includingForgotten: true).snapshots {
            let machine = Machine(name: snapshot.manifest.host, clockError: 0, folder: "")
            machine.disks = world.oracle.contents(of: snapshot.id) ?? [:]
            _ = try Writer(world: world, machine: machine, keyFile: credential).copy(copy)
        }
        func size(_ bytes: (ObjectKind) -> [Int]) -> Int { [ObjectKind.packs, .maps].reduce(0) { $0 + bytes($1).reduce(0, +) } }
        let own = size { Array(world.storage.names($0).values) }
        let least = size { kind in fresh.objects.filter { $0.key.kind == kind }.map(\.value.count) }
        let largestPack = world.storage.names(.packs).values.max() ?? 0
        world.tally.overhead = max(world.tally.overhead, (own - largestPack) * 1000 / max(least, 1) - 1000)
        guard options.boundsSize, own > least + least / 20 + largestPack else { return }
        Violation.report("the repository has \(own) bytes of packs, a fresh one with the same snapshots \(least), and the largest pack has \(largestPack)")
    }

    /// A check finds one wrong byte of a pack, and nothing else.
    private func findDamage(_ repository: Repository) throws(RepositoryError) {
        let packs = (Array(world.storage.names(.packs).keys) + world.storage.names(.maps).keys).sorted { $0.leaf < $1.leaf }
        let name = packs[Int(world.draw(UInt64(packs.count)))]
        guard var bytes = world.storage.objects[name] else { return }
        bytes[Int(world.draw(UInt64(bytes.count)))] ^= 1 << UInt8(world.draw(8))
        var objects = world.storage.objects
        objects[name] = bytes
        let client = world.start(on: Machine(name: "reader", clockError: 0, folder: ""))
        var environment = client.environment(world, cacheFolder: nil)
        environment.stateFolder = nil
        let damaged = try Repository.open(on: MemoryStorage(objects: objects), credential: .keyFile(keyFile), environment: environment)
        let report = try Checker.check(damaged, .all, world)
        let found = report.problems.filter { $0.severity == .error }
        // Maps in a damaged map pack are chunks that cannot be read.
        guard !found.isEmpty, found.contains(where: { $0.object == name.path }) else { Violation.report("\(name) is damaged, and a check found \(report.problems)") }
        guard found.allSatisfy({ $0.object == name.path || ($0.object.hasPrefix("map chunk") && $0.reason.contains(name.leaf)) || name.kind == .maps }) else {
            Violation.report("only \(name) is damaged, and a check found \(found)")
        }
        world.tally[.damagesFound] += 1
    }
}

extension Writer {
    /// The same snapshot into another repository.
    fileprivate func copy(_ repository: Repository) throws(RepositoryError) {
        let sources = machine.disks.sorted { $0.key < $1.key }.map { name, content in
            BackupSource(DiskContentReader(content), identity: SourceIdentity(kind: .file, imageName: name, path: "/\(name)"))
        }
        var options = BackupOptions()
        options.threadCount = world.weather.threadCount
        options.compressionLevel = world.weather.compressionLevel
        _ = try repository.backup(sources, options: options, progress: ProgressCounters(), cancellation: Cancellation())
    }
}
