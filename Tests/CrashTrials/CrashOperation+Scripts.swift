import Bytes
import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage

extension CrashOperation {
    /// The beginning is made anew each time: repositories and keys are random, everything else is the same.
    package func makeScript() throws -> Script {
        switch self {
        case .initialize: initializing()
        case .firstBackup, .incrementalBackup, .unchangedBackup, .backupAfterKilledBackup, .backupAfterCondemningPrune, .backupAfterDeletingPrune,
            .backupAfterRepair:
            try backingUp()
        case .forget: try marking([], .forget)
        case .undelete: try marking([.forget], .undelete)
        case .protect: try marking([], .protect)
        case .unprotect: try marking([.protect], .unprotect)
        case .endSession: try endingSession()
        case .prune, .pruneOfSeveral, .pruneAfterKilledBackup, .pruneAfterCondemningPrune, .pruneAfterDecidingPrune, .pruneAfterDeletingPrune,
            .pruneAfterFinishedDeletion, .pruneAfterHealing, .pruneThatSpares, .pruneThatMerges, .twoPrunes, .forgetAndPrune:
            try pruning()
        case .addKey, .addKeyAmongSeveral: try addingKey()
        case .removeKey, .removeKeyAmongSeveral: try removingKey()
        case .changeKey, .changeKeyAmongSeveral: try changingKey()
        case .repairOfMissingIndex, .repairOfDamagedIndex, .repairOfDamagedPacks, .repairOfDamagedRecords: try repairing()
        }
    }

    private func initializing() -> Script {
        var script = Script()
        let key = KeyFile.random()
        script.keys = [key]
        script.makesRepository = true
        // A repeated one refuses, or is the first.
        script.secondDeathCount = 0
        script.perform = { _, storage in
            _ = try Repository.create(on: storage, credential: .keyFile(key), options: .init(), environment: RepositoryFixture.environment(processID: 2))
        }
        return script
    }

    private func backingUp() throws -> Script {
        var builder = try ScriptBuilder()
        var made = Images.second
        if self != .firstBackup {
            let first = try builder.backup(Images.first)
            switch self {
            case .unchangedBackup: made = Images.first
            case .backupAfterKilledBackup:
                made = Images.lost
                try builder.die(after: \.isPutOfMapPack) { _ = try $0.backup(Images.lost) }
            case .backupAfterCondemningPrune, .backupAfterDeletingPrune:
                made = Images.first
                try builder.backup(Images.third)
                try builder.forget([first])
                try builder.die(after: self == .backupAfterCondemningPrune ? \.isPutOfList : \.isDeletionOfPack) { try $0.prune() }
            case .backupAfterRepair:
                made = Images.first
                try builder.spoil(builder.packs, hitting: [first])
                _ = try builder.repair()
            default: break
            }
        }
        return builder.finish { [made] script in
            script.made = made
            script.deletesNoPacks = self != .backupAfterCondemningPrune && self != .backupAfterDeletingPrune && self != .backupAfterRepair
            script.perform = { client, _ in _ = try client?.backup(made) }
            let earlier = Set(script.contents.keys)
            script.isDone = { found in found.snapshots.contains { !earlier.contains($0.id) } }
        }
    }

    /// One snapshot of three is marked, after marks of the kinds `before`.
    private func marking(_ before: [Mark.Kind], _ kind: Mark.Kind) throws -> Script {
        var builder = try ScriptBuilder()
        let id = try builder.backup(Images.first)
        try builder.backup(Images.second)
        try builder.backup(Images.third)
        for kind in before { try builder.mark([id], kind) }
        // Until it is brought back, nobody may rely on it.
        if kind == .forget || kind == .undelete { builder.release([id]) }
        return builder.finish { script in
            script.deletesNoPacks = true
            script.perform = { client, _ in try client?.mark([id], kind) }
            script.isDone = { found in
                guard let snapshot = found.snapshots.first(where: { $0.id == id }) else { return false }
                return switch kind {
                case .forget, .final: snapshot.isForgotten
                case .undelete: !snapshot.isForgotten
                case .protect: snapshot.isProtected
                case .unprotect: !snapshot.isProtected
                }
            }
            if kind == .undelete { script.neededOnceDone = [id] }
        }
    }

    private func endingSession() throws -> Script {
        var builder = try ScriptBuilder()
        try builder.backup(Images.first)
        try builder.die(after: \.isPutOfMapPack) { _ = try $0.backup(Images.lost) }
        let sessions = try builder.openSessions()
        return builder.finish { script in
            script.deletesNoPacks = true
            script.perform = { client, _ in for session in sessions { try client?.repository.endSession(session, reason: "a test") } }
            script.isDone = { found in try found.client.repository.openSessions().isEmpty }
        }
    }

    private func pruning() throws -> Script {
        var builder = try ScriptBuilder()
        let first = try builder.backup(Images.first)
        let packs = builder.packs
        let second = try builder.backup(Images.second)
        try builder.forget([first])
        var later: [SnapshotID] = []
        switch self {
        case .pruneOfSeveral:
            try builder.backup(Images.next)
            try builder.forget([try builder.backup(Images.lost), second])
        case .pruneAfterKilledBackup: try builder.die(after: \.isPutOfMapPack) { _ = try $0.backup(Images.lost) }
        case .pruneAfterCondemningPrune: try builder.die(after: \.isPutOfList) { try $0.prune() }
        case .pruneAfterDecidingPrune: try builder.die(after: \.isPutOfVerdict) { try $0.prune() }
        case .pruneAfterDeletingPrune:
            try builder.backup(Images.third)
            try builder.die(after: \.isDeletionOfPack) { try $0.prune() }
            // Something else is forgotten meanwhile.
            try builder.forget([second])
        case .pruneAfterFinishedDeletion: try builder.die(after: \.isDeletionOfList) { try $0.prune() }
        case .pruneAfterHealing:
            try builder.spoil(packs, hitting: [first, second])
            _ = try builder.repair()
            try builder.backup(Images.first)
            builder.heal()
        case .pruneThatSpares:
            // Forgotten when it is condemned, brought back before anything is decided.
            try builder.die(after: \.isPutOfList) { try $0.prune() }
            try builder.mark([first], .undelete)
            builder.demand([first])
        case .pruneThatMerges: for number in 11...16 { try builder.backup(Images.parts(UInt64(number))) }
        case .twoPrunes, .forgetAndPrune:
            try builder.backup(Images.third)
            builder.release([second])
            later = [second]
        default: break
        }
        let (isTwo, isLarge) = (self == .twoPrunes, self == .pruneThatMerges)
        return builder.finish { [later] script in
            // It makes many calls as it is.
            (script.secondDeathCount, script.secondStateCountMax) = isLarge ? (0, 0) : (3, 4)
            script.perform = { client, _ in
                if isTwo { try client?.pruneWithoutWaiting() }
                try client?.mark(later, .forget)
                try client?.pruneWithoutWaiting()
            }
            script.isDone = { found in !found.snapshots.contains { $0.isForgotten || later.contains($0.id) } && !found.has(\.isList) }
        }
    }

    private func repairing() throws -> Script {
        var builder = try ScriptBuilder()
        let first = try builder.backup(Images.first)
        let packs = builder.packs
        let second = try builder.backup(Images.second)
        let third = try builder.backup(Images.third)
        switch self {
        case .repairOfMissingIndex: try builder.lose(builder.objects(.index), hitting: [first, second, third])
        case .repairOfDamagedIndex: try builder.spoil(builder.objects(.index), hitting: [first, second, third])
        case .repairOfDamagedPacks: try builder.spoil(packs, hitting: [first, second], cures: [Images.first, Images.second, Images.next])
        default:
            try builder.forget([first])
            try builder.die(after: \.isPutOfList) { try $0.prune() }
            try builder.die(after: \.isPutOfMapPack) { _ = try $0.backup(Images.lost) }
            try builder.spoil(builder.objects(.sessions) + builder.objects(.condemned) + [.snapshot(third)], hitting: [third])
            builder.release([third])
        }
        return builder.finish { script in
            (script.secondDeathCount, script.secondStateCountMax) = (3, 4)
            script.perform = { client, _ in
                let report = try client?.repair()
                let left = report?.problems.filter { $0.severity == .error }.map { "\($0.object): \($0.reason)" } ?? []
                try require(left.isEmpty, "the repair leaves \(left)")
            }
            script.isDone = { found in try found.client.repair(isDryRun: true).steps.isEmpty }
        }
    }

    // MARK: Keys

    /// A snapshot; with several keys also a removed one, and one of role backup.
    private func makeKeyBuilder(isSeveral: Bool) throws -> ScriptBuilder {
        var builder = try ScriptBuilder()
        try builder.backup(Images.first)
        if isSeveral {
            _ = try builder.addSlot(.backup, .random())
            let removed = try builder.addSlot(.full, .random())
            try builder.removeSlot(removed)
            _ = try builder.addSlot(.full, .random())
            try builder.backup(Images.second)
        }
        return builder
    }

    private func addingKey() throws -> Script {
        let key = KeyFile.random()
        return try makeKeyBuilder(isSeveral: self == .addKeyAmongSeveral).finish { script in
            script.deletesNoPacks = true
            script.changesKeys = true
            script.perform = { client, _ in
                _ = try client?.repository.addSlot(role: .backup, credential: .keyFile(key), cost: .moderate, label: "new")
            }
            script.isDone = { found in try Client(found.storage, key, processID: 5)?.repository.role == .backup }
        }
    }

    private func removingKey() throws -> Script {
        let builder = try makeKeyBuilder(isSeveral: self == .removeKeyAmongSeveral)
        let key = KeyFile.random()
        let slot = try builder.addSlot(.full, key)
        return builder.finish { script in
            script.deletesNoPacks = true
            script.changesKeys = true
            script.perform = { client, _ in try client?.repository.removeSlot(slot) }
            script.isDone = { found in try Client(found.storage, key, processID: 5) == nil }
        }
    }

    private func changingKey() throws -> Script {
        let new = KeyFile.random()
        return try makeKeyBuilder(isSeveral: self == .changeKeyAmongSeveral).finish { script in
            script.deletesNoPacks = true
            script.changesKeys = true
            let old = script.keys
            script.keys += [new]
            script.perform = { client, _ in _ = try client?.repository.changeCredential(to: .keyFile(new), cost: .moderate) }
            script.isDone = { found in
                try Client(found.storage, new, processID: 5) != nil && old.allSatisfy { try Client(found.storage, $0, processID: 5) == nil }
            }
        }
    }
}
