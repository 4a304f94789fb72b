import Bytes
import ImageRepository
import Storage
import TestSupport

/// One run: everything that its seed decides.
final class World: @unchecked Sendable {
    let seed: UInt64
    let baton: Baton
    let weather: Weather
    let isTraced: Bool
    let mutant: Mutant?
    var tally = Tally()
    private(set) var storage: SimulatedStorage!
    private(set) var oracle: Oracle!
    private(set) var machines: [Machine] = []
    /// From here on nothing goes wrong any more.
    var isEnding = false
    /// Seconds since 1970, by the clock that nobody has.
    private(set) var now: Int64 = 1_770_000_000
    private var generator: SeededGenerator
    private(set) var clients: [Client] = []
    /// FNV-1a of every storage call and what became of it: the same for the same seed.
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

    init(seed: UInt64, baton: Baton, folder: String, isTraced: Bool, mutant: Mutant?) {
        self.seed = seed
        self.baton = baton
        self.isTraced = isTraced
        self.mutant = mutant
        weather = Weather(seed: seed)
        generator = SeededGenerator(seed: seed)
        storage = SimulatedStorage(self)
        oracle = Oracle(self)
        for number in 0..<4 {
            let error = Int64(draw(3)) * 86_400 * 40 * (number == 3 ? -1 : 1)
            machines.append(Machine(name: "machine\(number)", clockError: error, folder: folder))
        }
    }

    // MARK: Chance

    /// 0 ..< `bound`.
    func draw(_ bound: UInt64) -> UInt64 { generator.next() % bound }

    /// Once in `rate` times; never for 0.
    func happens(_ rate: UInt64) -> Bool { rate > 0 && draw(rate) == 0 }

    func withGenerator<Result>(_ body: (inout SeededGenerator) -> Result) -> Result { body(&generator) }

    // MARK: Time

    func passTime() { now += Int64(draw(3)) }

    func passMonth() { now += 30 * 86_400 }

    // MARK: Clients

    func start(on machine: Machine) -> Client {
        let client = Client(number: clients.count + 1, on: machine)
        clients.append(client)
        return client
    }

    func kill(_ client: Client) {
        guard !client.isDead else { return }
        client.isDead = true
        tally[.crashes] += 1
    }

    func failPower() {
        for client in clients { client.isDead = true }
        tally[.powerFailures] += 1
        withGenerator { storage.failPower(using: &$0) }
    }

    func isRunning(_ process: UInt64, on machine: Machine) -> Bool {
        clients.contains { $0.processID == process && $0.machine === machine && !$0.isDead }
    }

    /// Whether whoever wrote the record is silent: what a person finds out who looks at the machine.
    func isSilent(_ process: UInt64) -> Bool {
        clients.first { $0.processID == process }.map { $0.isDead || $0.isAsleep } ?? true
    }

    // MARK: Trace

    /// - Parameter result: what the digest takes of the outcome.
    func trace(_ client: Client, _ operation: StorageOperation, _ outcome: @autoclosure () -> String, _ result: Int = -2) {
        func mix(_ word: UInt64) { digest = (digest ^ word) &* 0x100_0000_01B3 }
        mix(UInt64(client.number))
        mix(UInt64(bitPattern: Int64(result)))
        switch operation {
        case .put(let name, let byteCount):
            mix(1)
            mixText(name.leaf)
            mix(UInt64(byteCount))
        case .get(let name):
            mix(2)
            mixText(name.leaf)
        case .stat(let name):
            mix(3)
            mixText(name.leaf)
        case .delete(let name):
            mix(4)
            mixText(name.leaf)
        case .list(let kind):
            mix(5)
            mixText(kind.rawValue)
        case .barrier: mix(6)
        case .prepare: mix(7)
        }
        if isTraced { print("\(baton.decisions)\t\(client.machine.name)/\(client.number)\t\(operation) \(outcome())") }
    }

    private func mixText(_ text: String) { for byte in text.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 } }

    /// What an actor does, for a reader of the trace.
    func note(_ text: @autoclosure () -> String) { if isTraced { print("\(baton.decisions)\t\(text())") } }
}
