import Storage
import TestSupport

/// What happened when an operation was run with a fault.
struct Run {
    /// A storage as it may be found afterwards.
    struct State {
        var name: String
        var storage: MemoryStorage
    }

    let fault: StorageFault?
    let operations: [StorageOperation]
    /// The caller was told that it succeeded.
    let isAcknowledged: Bool
    private let memory: MemoryStorage
    private let crashing: CrashingStorage

    /// By the process `processID`, on a copy of `storage`.
    ///
    /// - Throws: what the operation throws without a fault.
    init(_ script: Script, on storage: MemoryStorage, processID: UInt64 = 3, _ fault: StorageFault?, at position: Int) throws {
        memory = storage.copy()
        crashing = CrashingStorage(memory)
        let faulty = FaultInjectingStorage(crashing)
        let client = script.makesRepository ? nil : try script.open(faulty, processID: processID)
        try require(script.makesRepository || client != nil, "no key opens the repository before anything has happened")
        faulty.reset()
        if let fault { faulty.inject(fault, at: position) }
        var isAcknowledged = false
        do {
            try script.perform(client, faulty)
            isAcknowledged = true
        } catch {
            if fault == nil { throw error }
        }
        self.fault = fault
        operations = faulty.operations
        self.isAcknowledged = isAcknowledged
    }

    /// All that may be there when the process has ended, and when the machine has crashed right then: each set of names once.
    ///
    /// Of up to four changes since the last barrier every combination; of more none, all, each alone, all but each, and some at random. After an error
    /// that the process has survived none and all: the others are those of a death at the same call.
    func states(seed: UInt64) -> [State] {
        var states: [State] = []
        var seen: Set<Set<ObjectName>> = []
        func add(_ name: String, _ storage: MemoryStorage) {
            if seen.insert(Set(storage.objects.keys)).inserted { states.append(State(name: name, storage: storage)) }
        }
        add("as it is", memory.copy())
        let volatile = crashing.volatileNames.sorted { $0.path < $1.path }
        func add(happened: Set<ObjectName>) {
            add("of the changes only \(happened.map(\.path).sorted()) durable", crashing.crash(happened.contains))
        }
        let isError = if case .fails? = fault { true } else { false }
        if volatile.count <= 4, !isError {
            for mask in 0..<(1 << volatile.count) { add(happened: Set(volatile.indices.filter { mask >> $0 & 1 == 1 }.map { volatile[$0] })) }
            return states
        }
        add(happened: [])
        add(happened: Set(volatile))
        guard !isError else { return states }
        for name in volatile {
            add(happened: [name])
            add(happened: Set(volatile).subtracting([name]))
        }
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<4 { add(happened: Set(volatile.filter { _ in Bool.random(using: &generator) })) }
        return states
    }
}
