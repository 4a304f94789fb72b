import Bytes
import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import TestSupport

/// Makes the beginning of a script with the operations themselves, some of which die on the way.
struct ScriptBuilder {
    private(set) var script = Script()
    private let key: KeyFile
    private var client: Client
    private var processCount: UInt64 = 100

    init() throws {
        let fixture = try RepositoryFixture(script.storage, averageChunkByteCount: 16 << 10)
        key = fixture.keyFile
        script.keys = [key]
        client = Client(fixture.repository)
    }

    /// Makes a snapshot that must stay, unless it is `forgotten`.
    @discardableResult
    mutating func backup(_ bytes: [UInt8]) throws -> SnapshotID {
        let id = try client.backup(bytes).id
        script.contents[id] = bytes
        script.needed.insert(id)
        return id
    }

    mutating func forget(_ ids: [SnapshotID]) throws {
        try client.mark(ids, .forget)
        script.needed.subtract(ids)
    }

    func mark(_ ids: [SnapshotID], _ kind: Mark.Kind) throws { try client.mark(ids, kind) }

    /// The script does not demand it any more.
    mutating func release(_ ids: [SnapshotID]) { script.needed.subtract(ids) }

    /// The script demands it again.
    mutating func demand(_ ids: [SnapshotID]) { script.needed.formUnion(ids) }

    func addSlot(_ role: Role, _ key: KeyFile) throws -> SlotID {
        try client.repository.addSlot(role: role, credential: .keyFile(key), cost: .moderate, label: "\(role.rawValue)")
    }

    func removeSlot(_ slot: SlotID) throws { try client.repository.removeSlot(slot) }

    /// Does `body` as a process that dies after the call that `isLast` names.
    mutating func die(after isLast: (StorageOperation) -> Bool, in body: (Client) throws -> Void) throws {
        processCount += 1
        func attempt(_ memory: MemoryStorage, dyingAt position: Int?) throws -> [StorageOperation] {
            let faulty = FaultInjectingStorage(memory)
            guard let client = try Client(faulty, key, processID: processCount) else { throw Violation(description: "the key opens nothing") }
            faulty.reset()
            if let position { faulty.inject(.crashAfter, at: position) }
            do { try body(client) } catch { if position == nil { throw error } }
            return faulty.operations
        }
        guard let position = try attempt(script.storage.copy(), dyingAt: nil).firstIndex(where: isLast) else {
            throw Violation(description: "the operation makes no such call to die after")
        }
        _ = try attempt(script.storage, dyingAt: position)
    }

    // MARK: Damage

    func objects(_ kind: ObjectKind) -> [ObjectName] { script.storage.objects.keys.filter { $0.kind == kind }.sorted { $0.path < $1.path } }

    /// Of both kinds.
    var packs: [ObjectName] { objects(.packs) + objects(.maps) }

    /// Turns a bit in the middle of each.
    ///
    /// - Parameters:
    ///   - snapshots: those that need what is damaged.
    ///   - cures: images whose backup brings it back, if the operation does not.
    mutating func spoil(_ names: [ObjectName], hitting snapshots: Set<SnapshotID>, cures: [[UInt8]] = []) throws {
        let spoilt = try names.map { name in
            var bytes = try script.storage.get(name, byteCountMax: 1 << 30)
            bytes[bytes.count / 2] ^= 0x10
            script.storage.overwrite(name, with: bytes)
            return bytes
        }
        script.damage = Damage(objects: Set(names.map(\.path)), snapshots: snapshots, bytes: spoilt, cures: cures)
    }

    /// As `spoil`, and nothing of them is left.
    mutating func lose(_ names: [ObjectName], hitting snapshots: Set<SnapshotID>) throws {
        for name in names { try script.storage.delete(name) }
        script.damage = Damage(objects: Set(names.map(\.path)), snapshots: snapshots)
    }

    func repair() throws -> RepairReport { try client.repair() }

    /// Nothing of the damage is left.
    mutating func heal() { script.damage = nil }

    /// Open sessions, as a maintainer finds them.
    func openSessions() throws -> [SessionID] { try client.repository.openSessions().map(\.id) }

    consuming func finish(_ complete: (inout Script) -> Void) -> Script {
        complete(&script)
        return script
    }
}
