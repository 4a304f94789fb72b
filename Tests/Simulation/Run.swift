import Bytes
import ImageRepository
import Sealing
import Storage
import Threading

/// One seed from an empty repository to the last look at it.
struct Run {
    struct Options {
        var isTraced = false
        var mutant: Mutant?
        /// Whether a repository may be at most 5 % and one pack larger than a fresh one with the same snapshots.
        var boundsSize = false
        /// Where machines keep their caches.
        var folder: String
    }

    let seed: UInt64
    let baton: Baton
    let options: Options

    /// Returns what happened, and a digest that is the same for the same seed.
    func callAsFunction() -> (tally: Tally, digest: UInt64) {
        unsafe Violation.seed = seed
        Folder.remove(options.folder)
        Randomness.begin(seed: seed)
        let world = World(seed: seed, baton: baton, folder: options.folder, isTraced: options.isTraced, mutant: options.mutant)
        baton.reset(seed: seed ^ 0xBA70, world.weather.habit)
        world.note("\(world.weather)")
        let keyFile = KeyFile.random()
        do throws(RepositoryError) {
            try live(world, keyFile)
            world.isEnding = true
            world.storage.settle()
            try Ending(world: world, keyFile: keyFile, options: options).run()
        } catch { Violation.report("\(error)") }
        world.tally[.seeds] += 1
        world.tally[.switches] += baton.switchCount
        Folder.remove(options.folder)
        return (world.tally, world.digest)
    }

    private func live(_ world: World, _ keyFile: KeyFile) throws(RepositoryError) {
        let owner = world.start(on: world.machines[0])
        let calm = CalmStorage(storage: world.storage, client: owner)
        var creation = Repository.CreationOptions()
        creation.averageChunkByteCount = 16 << 10
        // The probe of create-if-absent races threads of its own, which is not for a storage without locks.
        let first = MemoryStorage()
        _ = try Repository.create(on: first, credential: .keyFile(keyFile), options: creation, environment: owner.environment(world, cacheFolder: nil))
        world.storage.begin(first.objects)
        let eye = world.start(on: Machine(name: "eye", clockError: 0, folder: options.folder))
        var environment = eye.environment(world, cacheFolder: nil)
        environment.stateFolder = nil
        world.oracle.begin(try Repository.open(on: calm, credential: .keyFile(keyFile), environment: environment))
        for machine in world.machines {
            for disk in ["a", "b"] {
                machine.disks[disk] = world.withGenerator { DiskContent(using: &$0, isWide: world.weather.hasWideImages && Bool.random(using: &$0)) }
            }
        }
        var actors: [(any Actor, rounds: Int)] = []
        for number in 0..<8 { actors.append((Writer(world: world, machine: world.machines[number % 4], keyFile: keyFile), 2)) }
        for number in 0..<2 { actors.append((Pruner(world: world, machine: world.machines[number], keyFile: keyFile), 5)) }
        for number in 0..<2 { actors.append((Restorer(world: world, machine: world.machines[number + 2], keyFile: keyFile), 1)) }
        for number in 0..<2 { actors.append((Forgetter(world: world, machine: world.machines[number + 2], keyFile: keyFile), 4)) }
        actors.append((Maintainer(world: world, machine: world.machines[3], keyFile: keyFile), 4))
        actors.append((Checker(world: world, machine: world.machines[1], keyFile: keyFile), 2))
        var threads: [WorkerThread] = []
        do throws(ThreadError) {
            for (actor, rounds) in actors { threads.append(try WorkerThread("actor") { actor.run(rounds: rounds) }) }
        } catch { Violation.report("\(error)") }
        for thread in threads { thread.join() }
    }
}
