import Bytes
import DiskImages
import Foundation
import ImageFixtures
@testable import ImageRepository
import Packing
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Testing
import TestSupport

struct KeyTests {
    private let fixture: RepositoryFixture
    private let storage = MemoryStorage()
    private let machineKey = KeyFile.random()
    private let bytes = TestImages.random(byteCount: 300_000, seed: 81)

    init() throws { fixture = try RepositoryFixture(storage) }

    private func open(_ key: KeyFile, stateFolder: String? = nil) throws -> Repository {
        try Repository.open(on: storage, credential: .keyFile(key), environment: RepositoryFixture.environment(stateFolder: stateFolder))
    }

    private func machine() throws -> (slot: SlotID, fixture: RepositoryFixture) {
        let slot = try fixture.repository.addSlot(role: .backup, credential: .keyFile(machineKey), cost: .moderate, label: "machine")
        return (slot, RepositoryFixture(with: try open(machineKey), storage, like: fixture))
    }

    // MARK: Role backup

    @Test func `a key of role backup backs up, finds everything again and lists`() throws {
        let first = try fixture.backup(bytes).snapshot
        let machine = try machine().fixture
        #expect(machine.repository.role == .backup)
        let same = try machine.backup(bytes)
        #expect(same.snapshot.manifest.counters.newByteCount == 0)
        #expect(same.dataPackCount == 0)
        let changed = try machine.backup(Array(bytes.dropLast(1000)) + [1, 2, 3])
        #expect(try machine.repository.snapshots().snapshots.map(\.id) == [first.id, same.snapshot.id, changed.snapshot.id])
        #expect(try machine.repository.statistics().snapshotCount == 3)
        #expect(try machine.repository.differences(from: first, to: changed.snapshot)[0].kind == .changed)
        #expect(try machine.check(.structure).problems == [])
        // And full reads what it wrote.
        #expect(try fixture.restore(changed.snapshot) == Array(bytes.dropLast(1000)) + [1, 2, 3])
        #expect(try fixture.check(.all).problems == [])
    }

    @Test func `a key of role backup is refused everything that reads data or changes keys`() throws {
        let (slot, machine) = try machine()
        let snapshot = try machine.backup(bytes).snapshot
        let image = snapshot.manifest.images[0]
        let repository = machine.repository
        var sample = CheckOptions()
        sample.data = .sample(percent: 1)
        let attempts: [(String, () throws -> Void)] = [
            ("restore", { _ = try machine.restore(snapshot) }),
            ("reader", { _ = try repository.reader(for: image) }),
            ("check all", { _ = try machine.check(.all) }),
            ("check a sample", { _ = try repository.check(sample, progress: ProgressCounters(), cancellation: Cancellation()) }),
            ("add a key", { _ = try repository.addSlot(role: .backup, credential: .keyFile(.random()), cost: .moderate, label: "") }),
            ("remove a key", { try repository.removeSlot(fixture.repository.slot) }),
            ("change its key", { _ = try repository.changeCredential(to: .keyFile(.random()), cost: .moderate) }),
        ]
        for (name, attempt) in attempts {
            let error = #expect(throws: RepositoryError.self, "\(name)") { try attempt() }
            guard case .notPermitted? = error else { Issue.record("\(name): \(String(describing: error))"); continue }
        }
        #expect(repository.slots.contains { $0.id == slot })
    }

    @Test func `nothing that a slot of role backup holds opens a segment, not even its own`() throws {
        _ = try fixture.backup(bytes)
        let (slot, machine) = try machine()
        let own = TestImages.random(byteCount: 200_000, seed: 82)
        _ = try machine.backup(own)
        // All that the slot's material is: what its key object holds, opened with its key file alone.
        let object = try KeySlot(decoding: try storage.get(.key(slot), byteCountMax: 4096))
        let secrets = try SlotSecrets(opening: object, slot: slot, with: .keyFile(machineKey))
        #expect(secrets.role == .backup)
        #expect(secrets.dataKeys == nil)
        #expect(secrets.rootKey == nil)
        let member = MemberKeys(memberSecret: secrets.memberSecrets[0].secret, epoch: secrets.memberSecrets[0].epoch)
        let held: [(String, SecretBytes)] =
            [("signing key", secrets.signingKey.seed), ("chunker key", member.chunkerKey), ("metadata key", member.metadataKey), ("map key", member.mapSegmentKey), ("segment input key", member.segmentInputKey)]
            + secrets.memberSecrets.map { ("member secret", $0.secret) }

        let index = try machine.repository.loadIndex().index
        let dataPacks = index.packs.filter { $0.kind == .data }
        #expect(dataPacks.count == 2)
        let associatedData = machine.repository.sealer.keyspaceBinding(.dataSegment).associatedData
        for pack in dataPacks {
            let key = try #require(pack.keys.first)
            #expect(pack.keys.count == 1)
            let bytes = try storage.get(pack.name, byteCountMax: 1 << 30)
            let place = pack.segments[0]
            let sealed = Array(bytes[Int(place.offset)..<Int(place.offset + place.sealedByteCount)])
            let salt = Digest(sealed.prefix(Digest.byteCount))
            func opens(_ segmentKey: some CipherKey) -> Bool {
                do {
                    _ = try AuthenticatedCipher.open(sealed.dropFirst(Digest.byteCount), key: segmentKey, associatedData: associatedData)
                    return true
                } catch { return false }
            }
            for (name, secret) in held {
                // As the secret key that session keys are sealed to,
                #expect(throws: SealingError.self, "\(name)") { try DataKeyPair(publicKey: secrets.dataPublicKey, secretKey: secret).open(key) }
                // as the session key, with and without what members put in, and as the segment's key itself.
                #expect(!opens(OneTimeKey.dataSegment(sessionKey: secret, member: member, salt: salt)), "\(name)")
                #expect(!opens(OneTimeKey.derive(base: secret, type: .dataSegment, salt: salt)), "\(name)")
                #expect(!opens(secret), "\(name)")
            }
            // The attempts are made rightly: with the data secret key it opens.
            let sessionKey = try #require(fixture.repository.dataKeys).open(key)
            #expect(opens(OneTimeKey.dataSegment(sessionKey: sessionKey, member: member, salt: salt)))
        }
        let reader = machine.repository.segmentReader(index)
        for pack in dataPacks {
            let file = PackFile(storage: storage, sealer: machine.repository.sealer, verifier: machine.repository.verifier)
            let directory = try file.readDirectory(try #require(try storage.stat(pack.name)), .data)
            let error = #expect(throws: PackingError.self) { try unsafe reader.withChunk(directory.segments[0].chunks[0].id, .data) { $0.count } }
            guard case .noDataKey? = error else { Issue.record("\(String(describing: error))"); continue }
        }
    }

    // MARK: Adding, removing, changing

    @Test func `a removed key opens nothing, and what it wrote before remains`() throws {
        let (slot, machine) = try machine()
        let before = try machine.backup(bytes).snapshot
        let copy = storage.copy()
        try fixture.repository.removeSlot(slot)
        let error = #expect(throws: RepositoryError.self) { try open(machineKey) }
        guard case .wrongCredential? = error else { Issue.record("\(String(describing: error))"); return }
        #expect(try fixture.repository.snapshots().snapshots.map(\.id) == [before.id])
        #expect(try fixture.restore(before) == bytes)
        #expect(try fixture.check(.all).problems == [])
        // A program that is still open with it is told; one that does not ask writes a manifest, which nobody believes.
        #expect(throws: RepositoryError.self) { try machine.backup([1, 2, 3]) }
        let thief = RepositoryFixture(
            with: try Repository.open(on: copy, credential: .keyFile(machineKey), environment: RepositoryFixture.environment()), copy, like: fixture)
        let late = try thief.backup([1, 2, 3]).snapshot
        for (name, bytes) in copy.objects where storage.objects[name] == nil && [.packs, .maps, .index, .snapshots].contains(name.kind) {
            _ = try storage.put(name, bytes)
        }
        let list = try fixture.repository.snapshots()
        #expect(list.snapshots.map(\.id) == [before.id])
        #expect(list.problems.map(\.object) == [ObjectName.snapshot(late.id).path])
        #expect(try fixture.check(.all).problems.contains { $0.severity == .error && $0.object == ObjectName.snapshot(late.id).path })
        // Others go on.
        #expect(try fixture.restore(try fixture.backup([4, 5]).snapshot) == [4, 5])
    }

    @Test func `the slot in use and the last one that can restore are not removed`() throws {
        #expect(throws: RepositoryError.self) { try fixture.repository.removeSlot(fixture.repository.slot) }
        #expect(throws: RepositoryError.self) { try fixture.repository.removeSlot(SlotID(Sodium.randomID())) }
        let recovery = try #require(fixture.repository.slots.first { $0.id != fixture.repository.slot })
        try fixture.repository.removeSlot(recovery.id)
        #expect(fixture.repository.slots.count == 1)
        #expect(throws: RepositoryError.self) { try open(fixture.recoveryKey) }
    }

    @Test func `the recovery key opens with all rights, also from its words`() throws {
        let snapshot = try fixture.backup(bytes).snapshot
        var words = Array(fixture.recoveryKey.words.joined(separator: " ").utf8)
        let recovered = try open(try KeyFile(parsing: &words))
        #expect(recovered.role == .full)
        #expect(try fixture.restore(snapshot, with: recovered) == bytes)
        _ = try recovered.addSlot(role: .full, credential: .keyFile(machineKey), cost: .moderate, label: "new")
        #expect(try open(machineKey).role == .full)
    }

    @Test func `a changed key replaces the old one and keeps its snapshots`() throws {
        let snapshot = try fixture.backup(bytes).snapshot
        let new = KeyFile.random()
        let slot = try fixture.repository.changeCredential(to: .keyFile(new), cost: .moderate)
        #expect(throws: RepositoryError.self) { try open(fixture.keyFile) }
        let changed = RepositoryFixture(with: try open(new), storage, like: fixture)
        #expect(changed.repository.slot == slot)
        #expect(try changed.restore(snapshot) == bytes)
        #expect(try changed.check(.all).problems == [])
        #expect(try changed.backup(bytes).snapshot.manifest.counters.newByteCount == 0)
    }

    @Test func `marks are as they were after a key change`() throws {
        let snapshots = try (0..<5).map { try fixture.backup(Array(bytes.dropLast($0))).snapshot }
        let second = KeyFile.random()
        _ = try fixture.repository.addSlot(role: .full, credential: .keyFile(second), cost: .moderate, label: "second")
        let other = try open(second)
        let own = fixture.repository
        try own.mark([snapshots[0], snapshots[3]], .forget)
        try own.mark([snapshots[1]], .protect)
        try other.mark([snapshots[2]], .forget)
        try own.mark([snapshots[2]], .undelete)
        #expect(try own.claimMark(.protect, snapshots[3].id, number: 1) == .created)
        let before = try own.readMarks().states
        let new = KeyFile.random()
        _ = try own.changeCredential(to: .keyFile(new), cost: .moderate)
        let changed = try open(new)
        let after = try changed.readMarks()
        #expect(after.problems == [])
        for snapshot in snapshots {
            let (before, after) = (before[snapshot.id] ?? MarkState(), after.states[snapshot.id] ?? MarkState())
            #expect((before.isForgotten, before.isProtected, after.isDoubtful) == (after.isForgotten, after.isProtected, false))
        }
        #expect(try changed.prune(cancellation: Cancellation()).snapshotCount == 1)
        #expect(try changed.snapshots(includingForgotten: true).snapshots.count == 4)
    }

    @Test func `what a removed key has marked is kept until somebody says what is wanted`() throws {
        let snapshots = try (0..<3).map { try fixture.backup(Array(bytes.dropLast($0))).snapshot }
        let second = KeyFile.random()
        let slot = try fixture.repository.addSlot(role: .full, credential: .keyFile(second), cost: .moderate, label: "second")
        try open(second).mark([snapshots[0]], .protect)
        try open(second).mark([snapshots[1]], .forget)
        try fixture.repository.removeSlot(slot)
        var policy = RetentionPolicy()
        policy.last = 1
        let plan = try fixture.repository.retentionPlan(policy, groupedBy: [.host]) { _ in true }.plan
        #expect(plan.forgotten.isEmpty && plan.groups[0].decisions.map(\.reasons) == [[.doubtful], [.doubtful], [.last]])
        #expect(try fixture.repository.readMarks().problems.count == 2)
        try fixture.repository.mark([snapshots[0]], .protect)
        try fixture.repository.mark([snapshots[1]], .forget)
        #expect(try fixture.repository.readMarks().problems == [])
        #expect(try fixture.repository.prune(cancellation: Cancellation()).snapshotCount == 1)
    }

    @Test func `what opens a slot already is refused for another`() throws {
        let (_, machine) = try machine()
        for key in [fixture.keyFile, machineKey, fixture.recoveryKey] {
            let error = #expect(throws: RepositoryError.self) {
                try fixture.repository.addSlot(role: .full, credential: .keyFile(key), cost: .moderate, label: "")
            }
            #expect(error.map { "\($0)" }?.contains("already") == true)
            #expect(throws: RepositoryError.self) { try fixture.repository.changeCredential(to: .keyFile(key), cost: .moderate) }
        }
        #expect(fixture.repository.slots.count == 3)
        #expect(try machine.check(.structure).isClean)
    }

    @Test func `of two key changes at once one is told to try again`() throws {
        let other = try open(fixture.keyFile)
        _ = try fixture.repository.addSlot(role: .backup, credential: .keyFile(machineKey), cost: .moderate, label: "")
        #expect(throws: RepositoryError.self) { try other.addSlot(role: .backup, credential: .keyFile(.random()), cost: .moderate, label: "") }
        #expect(try open(machineKey).role == .backup)
        #expect(try open(fixture.keyFile).slots.count == 3)
    }

    @Test func `a lost reply of a key change is settled by what is there`() throws {
        let faulty = FaultInjectingStorage(storage)
        let repository = try RepositoryFixture(opening: faulty, like: fixture).repository
        for position in 0..<4 {
            faulty.reset()
            faulty.inject(.replyLost(.unavailable(object: "keyring", reason: "injected")), at: position, counting: .mutating)
            let key = KeyFile.random()
            do {
                _ = try repository.addSlot(role: .backup, credential: .keyFile(key), cost: .moderate, label: "\(position)")
                #expect(try open(key).role == .backup)
            } catch { #expect(position != 2, "the keyring is put third") }
        }
    }

    @Test func `a keyring too large to be read again is not written`() throws {
        let rootKey = try #require(fixture.repository.secrets.rootKey)
        let slot = try #require(fixture.repository.slots.first)
        let many = Keyring.RetiredSlot(slot: slot, manifests: (0..<40_000).map { _ in .init(snapshot: SnapshotID(Sodium.randomID()), digest: slot.keyDigest) })
        #expect(throws: RepositoryError.self) { try fixture.repository.keyrings.append({ $0.retired.append(many) }, key: rootKey) }
        #expect(throws: RepositoryError.self) {
            try fixture.repository.keyrings.append({ $0.slots += [Keyring.Slot](repeating: slot, count: FormatLimits.slotCountMax) }, key: rootKey)
        }
        #expect(try open(fixture.keyFile).keyrings.current.number == 0)
    }

    // MARK: Pins

    @Test func `an older keyring put back is found out`() throws {
        let folder = TemporaryFolder()
        let old = storage.copy()
        _ = try open(fixture.keyFile, stateFolder: folder.path)
        _ = try fixture.repository.addSlot(role: .backup, credential: .keyFile(machineKey), cost: .moderate, label: "")
        _ = try open(fixture.keyFile, stateFolder: folder.path)
        let error = #expect(throws: RepositoryError.self) {
            try Repository.open(on: old, credential: .keyFile(fixture.keyFile), environment: RepositoryFixture.environment(stateFolder: folder.path))
        }
        guard case .rolledBack? = error else { Issue.record("\(String(describing: error))"); return }
        // Another machine, which has seen neither, opens it; a snapshot that has seen more keys tells it.
        #expect(try Repository.open(on: old, credential: .keyFile(fixture.keyFile), environment: RepositoryFixture.environment()).slots.count == 2)
    }

    @Test func `another root key under the same repository id is found out`() throws {
        let folder = TemporaryFolder()
        _ = try open(fixture.keyFile, stateFolder: folder.path)
        let pins = Pins(rootPublicKey: [UInt8](repeating: 7, count: 32), keyringNumber: 0)
        try FileManager.default.removeItem(atPath: "\(folder.path)/\(fixture.repository.id.hexadecimal)/pins.json")
        try PinFile(repository: fixture.repository.id, folder: folder.path).remember(pins)
        let error = #expect(throws: RepositoryError.self) { try open(fixture.keyFile, stateFolder: folder.path) }
        guard case .rolledBack? = error else { Issue.record("\(String(describing: error))"); return }
    }

    @Test(arguments: ["/proc/no-such-folder", "/dev/null/state"]) func `a state folder that cannot be used is a warning`(folder: String) throws {
        let repository = try open(fixture.keyFile, stateFolder: folder)
        #expect(repository.warnings.count == 1)
        #expect(repository.warnings.first?.contains(folder) == true)
    }

    @Test func `a pin that cannot be read is a warning`() throws {
        let folder = TemporaryFolder()
        _ = try open(fixture.keyFile, stateFolder: folder.path)
        try PrivateFile.replace("\(folder.path)/\(fixture.repository.id.hexadecimal)/pins.json", with: Array("{".utf8))
        #expect(try open(fixture.keyFile, stateFolder: folder.path).warnings.count == 1)
    }
}
