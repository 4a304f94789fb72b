import Bytes
import ImageRepository
import Storage

/// A process on a machine that uses the repository. It may die at any storage call, and never comes back: what is started again is another.
final class Client: @unchecked Sendable {
    let number: Int
    let machine: Machine
    /// What the calls of a dead client throw; nothing retries it.
    static let death = StorageError.failed(object: "storage", operation: "every call", reason: "this client has died")

    var isDead = false
    var isAsleep = false
    var wakesAt = 0
    // For an ambush: how often it still comes to the place before, how often others must do what it lies in wait for, and whose end it lets come first.
    var timesUntilAmbush: Int?
    var awaitedCount = 0
    var goesAfter: Client?
    var folders: Set<SimulatedStorage.Folder> = []
    /// What a snapshot that this client commits must restore to.
    var contents: [String: DiskContent] = [:]
    /// For mutants: whether it has registered a session; the last listings, and those from before it condemned packs.
    var isWriter = false
    var listings: [ObjectKind: [ObjectInfo]] = [:]
    var earlyListings: [ObjectKind: [ObjectInfo]]?
    /// Whether a call of it has failed by a passing fault.
    var hasMetFault = false

    var processID: UInt64 { UInt64(number) }

    init(number: Int, on machine: Machine) {
        self.number = number
        self.machine = machine
    }

    func fallAsleep(until decision: Int) {
        isAsleep = true
        wakesAt = decision
    }

    func environment(_ world: World, cacheFolder: String?) -> ClientEnvironment {
        let machine = machine
        return ClientEnvironment(
            host: machine.name, machineID: machine.name, processSpace: machine.name, processID: processID, tool: "simulation",
            cacheFolder: cacheFolder, stateFolder: machine.stateFolder, now: { world.now + machine.clockError },
            isRunning: { process in world.isRunning(process, on: machine) })
    }
}

/// A machine with disks. Its clock is wrong by as much as its owner never noticed.
final class Machine: @unchecked Sendable {
    let name: String
    /// Seconds.
    let clockError: Int64
    let cacheFolder: String
    let stateFolder: String
    var disks: [String: DiskContent] = [:]
    /// As they were.
    var formerDisks: [DiskContent] = []

    init(name: String, clockError: Int64, folder: String) {
        self.name = name
        self.clockError = clockError
        cacheFolder = "\(folder)/\(name)/cache"
        stateFolder = "\(folder)/\(name)/state"
    }
}
