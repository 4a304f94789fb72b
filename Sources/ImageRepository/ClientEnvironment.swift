/// What the library needs to know of the machine it runs on. A parameter, so that tests need no machine.
public struct ClientEnvironment: Sendable {
    /// Name of this machine, as it will stand in manifests.
    public var host: String
    /// From /etc/machine-id; empty if there is none.
    public var machineID: String
    /// Within which a process number means one process, as long as it runs: of one boot, and of one namespace of process numbers. Empty if that cannot be known.
    public var processSpace: String
    public var processID: UInt64
    /// Name and version of the program.
    public var tool: String
    /// Where what can be rebuilt is kept; nil for nowhere.
    public var cacheFolder: String?
    /// Where pins are kept, which must not be lost lightly; nil for nowhere.
    public var stateFolder: String?
    /// Seconds since 1970, by whatever clock there is.
    public var now: @Sendable () -> Int64
    /// Whether a process with that number runs in this space.
    public var isRunning: @Sendable (_ processID: UInt64) -> Bool

    public init(
        host: String, machineID: String, processSpace: String, processID: UInt64, tool: String, cacheFolder: String?, stateFolder: String?, now: @escaping @Sendable () -> Int64,
        isRunning: @escaping @Sendable (UInt64) -> Bool = { _ in true }
    ) {
        self.host = host
        self.machineID = machineID
        self.processSpace = processSpace
        self.processID = processID
        self.tool = tool
        self.cacheFolder = cacheFolder
        self.stateFolder = stateFolder
        self.now = now
        self.isRunning = isRunning
    }
}
