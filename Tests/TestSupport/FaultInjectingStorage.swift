package import Storage
import Synchronization

/// Any backend, with faults at chosen calls and a log of all calls. With one caller a run is repeated exactly.
package final class FaultInjectingStorage: StorageBackend {
    /// What every call throws once the process counts as dead.
    package static let crashed = StorageError.failed(object: "storage", operation: "every call", reason: "the process has died")

    private struct Position: Hashable {
        let number: Int
        let counted: CountedOperations
    }

    private struct Interlude {
        let isDue: @Sendable (StorageOperation) -> Bool
        let body: @Sendable (StorageOperation) -> Void
    }

    private struct State {
        var operations: [StorageOperation] = []
        var mutatingCount = 0
        var faults: [Position: StorageFault] = [:]
        var awaited: (isDue: @Sendable (StorageOperation) -> Bool, fault: StorageFault)?
        var isCrashed = false
        var bytesLeft: UInt64?
        /// Name to the offset of the byte that the next get of it returns damaged.
        var corruptions: [ObjectName: UInt64] = [:]
        /// Name to the offset of the byte that no get returns.
        var unreadable: [ObjectName: UInt64] = [:]
        var prelude: Interlude?
        var interlude: Interlude?
    }

    private let wrapped: any StorageBackend
    private let state = Mutex(State())

    package init(_ wrapped: any StorageBackend) { self.wrapped = wrapped }

    package var place: String { wrapped.place }
    package var capabilities: StorageCapabilities { wrapped.capabilities }

    // MARK: What goes wrong

    /// The call at `position`, counted from the last `reset()`, meets `fault`.
    package func inject(_ fault: StorageFault, at position: Int, counting counted: CountedOperations = .all) {
        state.withLock { $0.faults[Position(number: position, counted: counted)] = fault }
    }

    /// The next call that `isDue` recognises meets `fault`.
    package func injectNext(_ fault: StorageFault, where isDue: @escaping @Sendable (StorageOperation) -> Bool) {
        state.withLock { $0.awaited = (isDue, fault) }
    }

    /// The next get that covers byte `offset` of `name` returns it with all its bits turned; later ones do not.
    package func corruptNextGet(of name: ObjectName, byteAt offset: UInt64) {
        state.withLock { $0.corruptions[name] = offset }
    }

    /// Every get of `name` that covers byte `offset` fails, as where a sector of the disk cannot be read.
    package func failGets(of name: ObjectName, byteAt offset: UInt64) {
        state.withLock { $0.unreadable[name] = offset }
    }

    /// From now on puts of `byteCount` bytes fit in all; one that does not fit throws `.full` and takes nothing.
    package func fill(after byteCount: UInt64) {
        state.withLock { $0.bytesLeft = byteCount }
    }

    /// When the next such call has succeeded, `body` runs before its caller goes on: what another client does at that moment.
    package func afterNext(_ operation: StorageOperation, _ body: @escaping @Sendable () -> Void) {
        afterNext(where: { $0 == operation }) { _ in body() }
    }

    /// The same for the next call that `isDue` recognises, whose name may not be known before.
    package func afterNext(where isDue: @escaping @Sendable (StorageOperation) -> Bool, _ body: @escaping @Sendable (StorageOperation) -> Void) {
        state.withLock { $0.interlude = Interlude(isDue: isDue, body: body) }
    }

    /// When such a call is made next, `body` runs first.
    package func beforeNext(where isDue: @escaping @Sendable (StorageOperation) -> Bool, _ body: @escaping @Sendable (StorageOperation) -> Void) {
        state.withLock { $0.prelude = Interlude(isDue: isDue, body: body) }
    }

    /// Forgets the log, the positions and every fault, a crash included.
    package func reset() {
        state.withLock { $0 = State() }
    }

    // MARK: What happened

    /// Every call so far, those that failed included, in the order in which they began.
    package var operations: [StorageOperation] { state.withLock { $0.operations } }
    package var operationCount: Int { state.withLock { $0.operations.count } }
    package var mutatingOperationCount: Int { state.withLock { $0.mutatingCount } }

    // MARK: StorageBackend

    package func prepare() throws(StorageError) {
        try perform(.prepare) { () throws(StorageError) in try wrapped.prepare() }
    }

    package func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome {
        let object = [UInt8](copying: bytes)
        return try perform(.put(name, byteCount: object.count)) { () throws(StorageError) in
            try takeSpace(for: name, byteCount: UInt64(object.count))
            return try wrapped.put(name, object)
        }
    }

    package func barrier() throws(StorageError) {
        try perform(.barrier) { () throws(StorageError) in try wrapped.barrier() }
    }

    package func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] {
        try perform(.get(name)) { () throws(StorageError) in
            try readable(try wrapped.get(name, byteCountMax: byteCountMax), of: name, from: 0)
        }
    }

    package func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        try perform(.get(name)) { () throws(StorageError) in
            try readable(try wrapped.get(name, range: range), of: name, from: range.lowerBound)
        }
    }

    package func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? {
        try perform(.stat(name)) { () throws(StorageError) in try wrapped.stat(name) }
    }

    package func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] {
        try perform(.list(kind)) { () throws(StorageError) in try wrapped.list(kind) }
    }

    package func delete(_ name: ObjectName) throws(StorageError) {
        try perform(.delete(name)) { () throws(StorageError) in try wrapped.delete(name) }
    }

    // MARK: How

    private func perform<Outcome>(
        _ operation: StorageOperation, _ body: () throws(StorageError) -> Outcome
    ) throws(StorageError) -> Outcome {
        take(\.prelude, operation)?(operation)
        switch record(operation) {
        case nil:
            let outcome = try body()
            take(\.interlude, operation)?(operation)
            return outcome
        case .fails(let error):
            throw error
        case .replyLost(let error):
            _ = try body()
            throw error
        case .crashBefore:
            throw FaultInjectingStorage.crashed
        case .crashAfter:
            _ = try body()
            throw FaultInjectingStorage.crashed
        }
    }

    private func take(_ interlude: WritableKeyPath<State, Interlude?>, _ operation: StorageOperation) -> (@Sendable (StorageOperation) -> Void)? {
        state.withLock { state in
            guard state[keyPath: interlude]?.isDue(operation) == true else { return nil }
            return state[keyPath: interlude].take()?.body
        }
    }

    private func record(_ operation: StorageOperation) -> StorageFault? {
        state.withLock { state in
            let position = Position(number: state.operations.count, counted: .all)
            let mutatingPosition = Position(number: state.mutatingCount, counted: .mutating)
            state.operations.append(operation)
            if operation.isMutating { state.mutatingCount += 1 }
            if state.isCrashed { return .crashBefore }
            var fault = state.faults[position] ?? (operation.isMutating ? state.faults[mutatingPosition] : nil)
            if let awaited = state.awaited, awaited.isDue(operation) { (fault, state.awaited) = (awaited.fault, nil) }
            if fault == .crashBefore || fault == .crashAfter { state.isCrashed = true }
            return fault
        }
    }

    private func takeSpace(for name: ObjectName, byteCount: UInt64) throws(StorageError) {
        let fits = state.withLock { state in
            guard let bytesLeft = state.bytesLeft else { return true }
            guard byteCount <= bytesLeft else { return false }
            state.bytesLeft = bytesLeft - byteCount
            return true
        }
        guard fits else { throw .full(object: name.path) }
    }

    private func readable(_ bytes: [UInt8], of name: ObjectName, from start: UInt64) throws(StorageError) -> [UInt8] {
        if let offset = state.withLock({ $0.unreadable[name] }), offset >= start, offset - start < UInt64(bytes.count) {
            throw .failed(object: name.path, operation: "reading", reason: "Input/output error")
        }
        return corrupted(bytes, of: name, from: start)
    }

    private func corrupted(_ bytes: [UInt8], of name: ObjectName, from start: UInt64) -> [UInt8] {
        state.withLock { state in
            guard let offset = state.corruptions[name], offset >= start, offset - start < UInt64(bytes.count) else { return bytes }
            state.corruptions[name] = nil
            var bytes = bytes
            bytes[Int(offset - start)] ^= 0xFF
            return bytes
        }
    }
}
