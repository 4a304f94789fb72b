import Bytes
import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Storage
import TestSupport

/// What must be true of a storage after a fault, whatever the fault was.
///
/// Everything acknowledged is there bit for bit and nothing is damaged; the operation succeeds when it is repeated; then a backup and a prune
/// just work, and nothing is left over. What was damaged before excuses what it explains, until it is mended.
struct Examination {
    private let script: Script
    private let storage: MemoryStorage
    private let isAcknowledged: Bool
    private let fault: StorageFault?

    init(_ script: Script, _ storage: MemoryStorage, _ run: Run) {
        self.script = script
        self.storage = storage
        isAcknowledged = run.isAcknowledged
        fault = run.fault
    }

    /// - Parameter isThorough: whether all data are checked, and a plan is made, a second time at the end.
    func examine(isThorough: Bool) throws {
        guard let client = try script.makesRepository ? openMade() : script.open(storage, processID: 4) else {
            try require(script.makesRepository, "no key opens the repository")
            return
        }
        var needed = script.needed
        let found = try Finding(client, storage)
        let isDone = try script.isDone(found)
        try require(isDone || !isAcknowledged, "it was acknowledged and has not happened")
        if isDone { needed.formUnion(script.neededOnceDone) }
        let damage = script.damage.flatMap { isDone && $0.cures.isEmpty ? nil : $0 }
        try requireClean(client, warns: true, damage)
        try requireContents(found, needed, damage)
        try requireKept()
        if damage != nil, isThorough { try ignoreDamage(needed) }

        let next = try repeatOperation(client, isDone: isDone)
        try requireKept()
        needed.formUnion(script.neededOnceDone)
        for image in script.damage?.cures ?? [] { needed.insert(try next.backup(image).id) }
        needed.insert(try next.backup(Images.next).id)
        if script.deletesNoPacks, fault?.isDeath != false {
            try require(try RepositoryFixture.repeatedChunkCount(next.repository, storage) == 0, "the next backup stored a chunk twice")
        }

        try next.pruneWithoutWaiting()
        let left = try Finding(next, storage)
        try requireContents(left, needed)
        try require(!left.has { $0.kind == .sessions }, "a session object is left")
        try require(!left.has(\.isList), "a condemned list is left")
        guard isThorough else { return }
        try requireClean(next, warns: script.changesKeys)
        let plan = try next.plan()
        try require(plan.deleted.count == 0 && plan.snapshots.isEmpty && plan.unindexed.count == 0, "the prune left work: \(plan)")
    }

    /// Who goes on working, and leaves the damage as it is, may be refused and makes nothing worse.
    private func ignoreDamage(_ needed: Set<SnapshotID>) throws {
        let storage = storage.copy()
        guard let client = try script.open(storage, processID: 5) else { throw Violation(description: "no key opens the repository") }
        for attempt in [{ _ = try client.backup(Images.next) }, { try client.prune() }] { do { try attempt() } catch is RepositoryError {} }
        try requireContents(try Finding(client, storage), needed, script.damage)
        try script.perform(client, storage)
        for image in script.damage?.cures ?? [] { _ = try client.backup(image) }
        try requireClean(client, warns: true)
        try requireContents(try Finding(client, storage), needed)
    }

    /// Returns who goes on, with a key that opens the repository now.
    private func repeatOperation(_ client: Client, isDone: Bool) throws -> Client {
        do {
            try script.perform(client, storage)
        } catch where !(error is Violation) {
            // It may refuse to do again what is done.
            try require(isDone, "repeated, it fails: \(error)")
            return client
        }
        guard script.changesKeys else {
            try require(try script.isDone(Finding(client, storage)), "repeated, it succeeded and has not happened")
            return client
        }
        guard let changed = try script.open(storage, processID: 4) else { throw Violation(description: "no key opens the repository any more") }
        try require(try script.isDone(Finding(changed, storage)), "repeated, it succeeded and has not happened")
        return changed
    }

    /// Nil if there is no repository, and another one may be made only where this place is emptied first.
    private func openMade() throws -> Client? {
        do {
            if let client = try script.open(storage, processID: 4) { return client }
        } catch RepositoryError.damaged {
            // Without `config`, which comes last, there is none; whether there was one is for its owner to know.
        }
        try require(!isAcknowledged, "it was acknowledged, and there is no repository")
        do { try script.perform(nil, storage) } catch RepositoryError.occupied { return nil }
        return try script.open(storage, processID: 4)
    }

    /// A check of all data finds nothing wrong, and unless it `warns`, nothing to mention. Only a prune may leave an index that names packs that are gone.
    private func requireClean(_ client: Client, warns: Bool, _ damage: Damage? = nil) throws {
        let problems = try client.problems().filter { problem in
            (problem.severity == .error || !warns || script.deletesNoPacks && problem.reason.hasPrefix("it is missing")) && damage?.explains(problem) != true
        }.map { "\($0.object): \($0.reason)" }
        try require(problems.isEmpty, "a check finds \(problems)")
    }

    /// Those that are needed are listed, and every snapshot that is listed is restored with the bytes that were backed up.
    private func requireContents(_ found: Finding, _ needed: Set<SnapshotID>, _ damage: Damage? = nil) throws {
        let listed = found.snapshots.filter { !$0.isForgotten }
        let missing = needed.subtracting(listed.map(\.id))
        try require(missing.isEmpty, "snapshots are lost: \(missing.map(\.hexadecimal))")
        for snapshot in listed {
            let isHit = damage.map { $0.snapshots.contains(snapshot.id) || script.contents[snapshot.id] == nil } ?? false
            let restored: [UInt8]
            do { restored = try found.client.restore(snapshot) } catch is RepositoryError where isHit { continue }
            let isRight = script.contents[snapshot.id].map { $0 == restored } ?? isMadeLater(restored)
            try require(isRight, "snapshot \(snapshot.id) is restored with other bytes")
        }
    }

    /// Nothing is thrown away because it is damaged.
    private func requireKept() throws {
        guard let damage = script.damage else { return }
        try require(Set(storage.objects.values).isSuperset(of: damage.bytes), "what is damaged is not kept")
    }

    /// By the operation, or by this examination.
    private func isMadeLater(_ bytes: [UInt8]) -> Bool { bytes == script.made || bytes == Images.next || script.damage?.cures.contains(bytes) == true }
}
