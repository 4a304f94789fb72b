import Storage
import TestSupport

/// The storage that all clients of a run share. What it may do to them is written here and in README.md; how often, `Weather` says.
///
/// - Each call takes effect at one moment, or, if its reply was lost, perhaps later. A listing is no such moment: an object that comes or goes while
///   it is made is in it or not.
/// - A put that returned is seen by every later listing and stat, and so is a deletion of a pack or map pack: a writer counts what is listed (Ordering 4).
///   Deletions of index objects, sessions, lists and manifests may be seen late by listings: who reads them then finds that they are gone.
/// - On a local disk a name is durable after a barrier of a client that changed something in its folder. A power failure keeps any subset of the others.
final class SimulatedStorage: @unchecked Sendable {
    /// What a barrier makes durable together.
    struct Folder: Hashable {
        let kind: ObjectKind
        let part: Substring

        init(_ name: ObjectName) {
            kind = name.kind
            part = name.kind.isFannedOut ? name.leaf.prefix(2) : ""
        }
    }

    enum Effect {
        case put(ObjectName, [UInt8], by: Client)
        case delete(ObjectName)

        var name: ObjectName {
            switch self {
            case .put(let name, _, _), .delete(let name): name
            }
        }
    }

    private let world: World
    private(set) var objects: [ObjectName: [UInt8]] = [:]
    /// By kind, sorted by nothing.
    private var byKind: [ObjectKind: [ObjectName: Int]] = [:]
    /// What a power failure leaves; kept for a local disk only.
    private var durable: [ObjectName: [UInt8]] = [:]
    private var volatile: [ObjectName: [UInt8]] = [:]
    private var late: [(time: Int, effect: Effect)] = []
    private var ghosts: [ObjectName: (byteCount: Int, until: Int)] = [:]

    init(_ world: World) { self.world = world }

    /// What is there from the beginning.
    func begin(_ objects: [ObjectName: [UInt8]]) {
        (self.objects, durable) = (objects, objects)
        for (name, bytes) in objects { byKind[name.kind, default: [:]][name] = bytes.count }
    }

    // MARK: Effects

    /// Puts at this moment, whatever becomes of the reply.
    func put(_ name: ObjectName, _ bytes: [UInt8], by client: Client) -> PutOutcome {
        guard objects[name] == nil else { return .occupied }
        objects[name] = bytes
        byKind[name.kind, default: [:]][name] = bytes.count
        if world.weather.isLocalDisk { volatile[name] = bytes }
        ghosts[name] = nil
        world.oracle.created(name, bytes, by: client)
        return .created
    }

    func delete(_ name: ObjectName) {
        guard let bytes = objects.removeValue(forKey: name) else { return }
        byKind[name.kind]?[name] = nil
        if world.weather.isLocalDisk, volatile[name] == nil { volatile[name] = bytes }
        if world.weather.listsLate, !name.kind.isFannedOut || world.mutant == .packsListedLate { ghosts[name] = (bytes.count, world.baton.decisions + 200) }
        world.oracle.deleted(name, bytes)
    }

    /// The effect happens after so many decisions, unless the power fails before.
    func delay(_ effect: Effect, by decisions: Int) { late.append((world.baton.decisions + decisions, effect)) }

    /// What is due happens.
    func advance() {
        guard !late.isEmpty else { return }
        let now = world.baton.decisions
        let due = late.filter { $0.time <= now }
        guard !due.isEmpty else { return }
        late.removeAll { $0.time <= now }
        for (_, effect) in due { perform(effect) }
    }

    /// At the end nothing is on its way any more, and all names are durable.
    func settle() {
        for (_, effect) in late { perform(effect) }
        late = []
        ghosts = [:]
        durable = objects
        volatile = [:]
    }

    private func perform(_ effect: Effect) {
        world.tally[.lateEffects] += 1
        switch effect {
        case .put(let name, let bytes, let client): _ = put(name, bytes, by: client)
        case .delete(let name): delete(name)
        }
    }

    // MARK: Durability

    func barrier(_ folders: Set<Folder>) {
        for name in volatile.keys where folders.contains(Folder(name)) {
            durable[name] = objects[name]
            volatile[name] = nil
        }
    }

    /// Every name without a barrier is lost or kept, and every deletion undone or not.
    func failPower(using generator: inout SeededGenerator) {
        late = []
        for name in volatile.keys.sorted(by: { $0.path < $1.path }) {
            let happened = generator.next() % 2 == 0
            if let before = durable[name] {
                if objects[name] == nil, !happened { objects[name] = before }
            } else if objects[name] != nil {
                if !happened {
                    objects[name] = nil
                    world.tally[.namesLost] += 1
                }
            } else if happened, let bytes = volatile[name], generator.next() % 2 == 0 {
                // Created and deleted since: the creation was written and the deletion not.
                objects[name] = bytes
            }
        }
        durable = objects
        volatile = [:]
        byKind = [:]
        for (name, bytes) in objects { byKind[name.kind, default: [:]][name] = bytes.count }
        world.oracle.rebuild()
    }

    // MARK: Reading

    func names(_ kind: ObjectKind) -> [ObjectName: Int] {
        kind == .config ? objects[.config].map { [.config: $0.count] } ?? [:] : byKind[kind] ?? [:]
    }

    /// Deleted, and to be listed all the same.
    func ghosts(_ kind: ObjectKind) -> [ObjectName: Int] {
        guard !ghosts.isEmpty else { return [:] }
        ghosts = ghosts.filter { $0.value.until > world.baton.decisions }
        return ghosts.filter { $0.key.kind == kind }.mapValues(\.byteCount)
    }
}

/// The same storage without any faults, and without other clients going first: what the oracle and the end of a run look through.
struct CalmStorage: StorageBackend {
    let place = "simulation"
    let capabilities = StorageCapabilities(createsAtomically: true, listsConsistently: true)
    let storage: SimulatedStorage
    let client: Client

    func prepare() throws(StorageError) {}
    func barrier() throws(StorageError) {}

    func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome {
        storage.put(name, [UInt8](copying: bytes), by: client)
    }

    func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] {
        guard let bytes = storage.objects[name] else { throw .notFound(name) }
        guard UInt64(bytes.count) <= byteCountMax else { throw .tooLarge(name, byteCount: UInt64(bytes.count), limit: byteCountMax) }
        return bytes
    }

    func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        guard let bytes = storage.objects[name] else { throw .notFound(name) }
        guard range.upperBound <= UInt64(bytes.count) else {
            throw .shortObject(name, byteCount: UInt64(bytes.count), expected: range.upperBound)
        }
        return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? {
        storage.objects[name].map { ObjectInfo(name: name, byteCount: UInt64($0.count)) }
    }

    func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] {
        storage.names(kind).map { ObjectInfo(name: $0.key, byteCount: UInt64($0.value)) }
    }

    func delete(_ name: ObjectName) throws(StorageError) { storage.delete(name) }
}
