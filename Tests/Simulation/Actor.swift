import Glibc
import ImageRepository
import Sealing
import Storage

/// Somebody who does one thing again and again, each time as a new client.
protocol Actor: Sendable {
    var world: World { get }
    var machine: Machine { get }
    var keyFile: KeyFile { get }

    /// - Throws: what the library throws; whether it may is decided by `World.accept`.
    func act(_ client: Client, _ repository: Repository) throws(RepositoryError)
}

extension Actor {
    /// The life of the actor.
    func run(rounds: Int) {
        for _ in 0..<rounds {
            world.baton.sleep(Int(world.draw(world.weather.pause)))
            let client = world.start(on: machine)
            // A cache folder that was lost, or is not used this time, costs time and nothing else.
            if world.draw(8) == 0 { Folder.remove(machine.cacheFolder) }
            let cacheFolder = world.draw(3) == 0 ? nil : machine.cacheFolder
            do throws(RepositoryError) {
                let repository = try Repository.open(
                    on: ClientStorage(world: world, client: client), credential: .keyFile(keyFile), environment: client.environment(world, cacheFolder: cacheFolder))
                world.note("\(machine.name)/\(client.number) begins: \(Self.self)")
                try act(client, repository)
                world.note("\(machine.name)/\(client.number) is done")
            } catch {
                world.note("\(machine.name)/\(client.number) stops: \(error)")
                world.accept(error, client, "\(Self.self)")
            }
            client.isDead = true
        }
    }
}

extension World {
    /// Ends the run if a client met an error that its weather does not explain.
    func accept(_ error: RepositoryError, _ client: Client, _ work: String) {
        if client.isDead { return }
        switch error {
        case .storage(.unavailable) where client.hasMetFault: return
        case .sessionEnded(let id):
            guard oracle.isAborted(id) else { Violation.report("\(work) says that session \(id) was ended, and it was not") }
            tally[.sessionsFoundEnded] += 1
        default: Violation.report("\(work) failed: \(error)")
        }
    }
}

/// Folders of the machine that the simulation runs on.
enum Folder {
    /// With all that is in it.
    static func remove(_ path: String) {
        guard let stream = unsafe opendir(path) else { return }
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            let child = "\(path)/\(name)"
            if unsafe unlink(child) != 0 { remove(child) }
        }
        unsafe closedir(stream)
        unsafe rmdir(path)
    }
}
