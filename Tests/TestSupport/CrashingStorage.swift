package import Storage
import Synchronization

/// Memory in which a name is durable only after `barrier()`, as the weakest local file system has it.
///
/// At a crash each name put, and each deletion, since the last barrier has happened or not, independently of the others and in
/// any combination; the bytes under a name that is left are whole, as `put` promises.
package final class CrashingStorage: StorageBackend {
    private struct State {
        /// What the last barrier covered.
        var durable: [ObjectName: [UInt8]]
        /// Created or deleted since then.
        var changed: Set<ObjectName> = []
        /// The bytes of every name ever put since then, deleted again or not.
        var created: [ObjectName: [UInt8]] = [:]
    }

    private let memory: MemoryStorage
    /// Held during each change, so that memory and state agree.
    private let state: Mutex<State>

    /// All that `memory` holds is durable. It must not be changed behind this backend's back.
    package init(_ memory: MemoryStorage) {
        self.memory = memory
        state = Mutex(State(durable: memory.objects))
    }

    package var place: String { memory.place }
    package var capabilities: StorageCapabilities { memory.capabilities }

    /// The names whose fate a crash would now decide.
    package var volatileNames: Set<ObjectName> { state.withLock { $0.changed } }

    /// What a crash at this moment leaves behind, chosen by `seed`.
    package func crash(losing seed: UInt64) -> MemoryStorage {
        var generator = SeededGenerator(seed: seed)
        return crash { _ in Bool.random(using: &generator) }
    }

    /// What is left when nothing has happened since the last barrier.
    package func crashLosingEverything() -> MemoryStorage {
        crash { _ in false }
    }

    /// What is left when of the changed names, in the order of their paths, those have changed for which `hasHappened` says so.
    package func crash(_ hasHappened: (ObjectName) -> Bool) -> MemoryStorage {
        state.withLock { state in
            let current = memory.objects
            var left = state.durable
            for name in state.changed.sorted(by: { $0.path < $1.path }) {
                let happened = hasHappened(name)
                if state.durable[name] != nil {
                    if happened { left[name] = current[name] }
                } else if happened {
                    // Deleted again since: the creation may have been written and the deletion not.
                    left[name] = current[name] ?? state.created[name]
                }
            }
            return MemoryStorage(objects: left)
        }
    }

    package func prepare() throws(StorageError) {
        try memory.prepare()
    }

    package func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome {
        let object = [UInt8](copying: bytes)
        return try state.withLock { (state: inout State) throws(StorageError) in
            let outcome = try memory.put(name, object)
            if outcome == .created {
                state.changed.insert(name)
                state.created[name] = object
            }
            return outcome
        }
    }

    package func barrier() throws(StorageError) {
        try state.withLock { (state: inout State) throws(StorageError) in
            try memory.barrier()
            state = State(durable: memory.objects)
        }
    }

    package func delete(_ name: ObjectName) throws(StorageError) {
        try state.withLock { (state: inout State) throws(StorageError) in
            try memory.delete(name)
            if state.durable[name] != nil || state.created[name] != nil { state.changed.insert(name) }
        }
    }

    package func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] {
        try memory.get(name, byteCountMax: byteCountMax)
    }

    package func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        try memory.get(name, range: range)
    }

    package func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? {
        try memory.stat(name)
    }

    package func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] {
        try memory.list(kind)
    }
}
