import Bytes
import Foundation
import ImageFixtures
@testable import ImageRepository
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import Testing

struct DamageTests {
    private static let kinds: [ObjectKind] = [.config, .keyring, .keys, .packs, .maps, .index, .snapshots, .marks, .sessions, .condemned]

    private static let kindsReadOnOpening: [ObjectKind] = [.config, .keyring, .keys]
    /// Every byte turned is checked; a restore, which takes longer, is tried with one in so many.
    private static let restoredStep = 16

    @Test func `the repository to be damaged is small, whole, and holds every type of object`() throws {
        let repository = try DamagedRepository()
        #expect(repository.sound.values.reduce(0) { $0 + $1.count } <= 64 << 10)
        #expect(try repository.errors() == [])
        #expect(repository.restoresRightOrThrows(opening: true))
        let counts = Self.kinds.map { repository.objects($0).count }
        #expect(counts == [1, 2, 3, 1, 1, 1, 3, 1, 1, 1])
        let types = try Set(repository.sound.values.map { try ObjectHeader(of: $0[...], expecting: .config, .keyring, .keySlot, .dataPack, .mapPack, .index, .manifest, .abortRecord, .mark, .session, .condemnedList).type })
        #expect(types.count == 11)
    }

    /// Of so many bytes one is turned; HOLDFAST_DAMAGE_STEP=1 turns all, which takes a quarter of an hour.
    private static let turnedStep = ProcessInfo.processInfo.environment["HOLDFAST_DAMAGE_STEP"].flatMap { Int($0) } ?? 12

    @Test(arguments: kinds) func `every byte turned is found and never restored silently`(kind: ObjectKind) throws {
        let repository = try DamagedRepository()
        var flips = 0
        for name in repository.objects(kind) {
            guard let sound = repository.sound[name] else { continue }
            for offset in sound.indices where offset % Self.turnedStep == 0 {
                var damaged = sound
                damaged[offset] ^= 0xFF
                repository.storage.overwrite(name, with: damaged)
                let found = try repository.errors().contains { $0.severity == .error && $0.object == name.path }
                if !found { Issue.record("byte \(offset) of \(name) is turned and no check finds it") }
                if offset % Self.restoredStep == 0, !repository.restoresRightOrThrows(opening: Self.kindsReadOnOpening.contains(kind)) {
                    Issue.record("byte \(offset) of \(name) is turned and wrong bytes are restored")
                }
                flips += 1
            }
            repository.storage.overwrite(name, with: sound)
        }
        print("\(kind): \(flips) bytes turned")
        #expect(flips == repository.objects(kind).reduce(0) { $0 + ((repository.sound[$1]?.count ?? 0) + Self.turnedStep - 1) / Self.turnedStep })
        #expect(try repository.errors() == [])
    }

    @Test(arguments: kinds) func `a shortened object is found, with the snapshots that need it`(kind: ObjectKind) throws {
        let repository = try DamagedRepository()
        for name in repository.objects(kind) {
            guard let sound = repository.sound[name] else { continue }
            for byteCount in [0, 1, 8, 47, 48, 49, sound.count / 2, sound.count - 1, sound.count + 1] {
                repository.storage.overwrite(name, with: byteCount <= sound.count ? Array(sound.prefix(byteCount)) : sound + [0])
                try expectNamed([name], repository, "\(byteCount) bytes of \(name)")
            }
            repository.mend()
        }
    }

    @Test(arguments: kinds) func `a missing object is found`(kind: ObjectKind) throws {
        let repository = try DamagedRepository()
        for name in repository.objects(kind) {
            try repository.storage.delete(name)
            #expect(repository.restoresRightOrThrows(opening: true), "\(name)")
            let problems = try repository.errors()
            let errors = problems.filter { $0.severity == .error }
            switch kind {
            case .marks, .sessions, .condemned:
                // What nothing else names may be missing: these say of themselves that they once were, and no data hangs on them.
                #expect(errors.isEmpty, "\(name)")
            case .snapshots where name.leaf == repository.snapshots[0].hexadecimal:
                #expect(errors.contains { $0.object == name.path && $0.snapshots.contains(name.leaf) }, "\(name)")
            case .snapshots:
                // The last snapshot, which no later one has seen, and an abort record, which nothing names.
                #expect(errors.isEmpty, "\(name)")
            case .index:
                // Nothing names an index object; what only it knew is missing, and its packs are known by their own directories.
                #expect(Set(errors.flatMap(\.snapshots)) == Set(repository.snapshots.map(\.hexadecimal)))
                #expect(repository.objects(.packs).allSatisfy { pack in problems.contains { $0.object == pack.path } })
                _ = try repository.fixture.backup(repository.image)
                #expect(try repository.fixture.check(.all).isClean, "the next backup adopts the packs")
                #expect(try repository.fixture.restore(repository.fixture.repository.snapshot(repository.snapshots[0])) == repository.image)
            default:
                #expect(errors.contains { $0.object == name.path }, "\(name)")
                if kind == .packs || kind == .maps {
                    #expect(Set(errors.flatMap(\.snapshots)) == Set(repository.snapshots.map(\.hexadecimal)), "\(name)")
                }
            }
            repository.mend()
        }
    }

    @Test(arguments: kinds) func `an object under another name of its kind is found`(kind: ObjectKind) throws {
        let repository = try DamagedRepository()
        for name in repository.objects(kind) where kind.isFolder {
            guard let sound = repository.sound[name] else { continue }
            let leaf =
                switch kind {
                case .packs, .maps, .index: String(repeating: "ab", count: 32)
                case .keyring: "2"
                case .marks: "\(repository.snapshots[1].hexadecimal).0"
                default: String(repeating: "ab", count: 16)
                }
            let copy = ObjectName(kind, leaf)
            repository.storage.overwrite(copy, with: sound)
            #expect(repository.restoresRightOrThrows(opening: kind != .keyring), "\(name)")
            let problems = try repository.errors().filter { $0.object == copy.path }
            // A key slot that the keyring does not name opens nothing.
            #expect(problems.contains { $0.severity == (kind == .keys ? .warning : .error) }, "\(name)")
            repository.mend()
        }
    }

    @Test func `a pack under the name of the other kind of pack is found`() throws {
        let repository = try DamagedRepository()
        for (kind, other) in [(ObjectKind.packs, ObjectKind.maps), (.maps, .packs)] {
            let name = repository.objects(kind)[0]
            let copy = ObjectName(other, name.leaf)
            repository.storage.overwrite(copy, with: repository.sound[name] ?? [])
            let problems = try repository.errors()
            #expect(problems.contains { $0.object == copy.path && $0.severity == .error && $0.snapshots.isEmpty })
            #expect(!problems.contains { $0.object == name.path })
            #expect(repository.restoresRightOrThrows())
            repository.mend()
        }
    }

    @Test func `any two objects exchanged are found`() throws {
        let repository = try DamagedRepository()
        let names = repository.sound.keys.sorted { $0.path < $1.path }
        var pairs = 0
        for (position, first) in names.enumerated() {
            for second in names[(position + 1)...] {
                guard let (one, other) = repository.sound[first].flatMap({ one in repository.sound[second].map { (one, $0) } }) else { continue }
                repository.storage.overwrite(first, with: other)
                repository.storage.overwrite(second, with: one)
                try expectNamed([first, second], repository, "\(first) and \(second)")
                #expect(repository.restoresRightOrThrows(opening: true), "\(first) and \(second)")
                repository.mend()
                pairs += 1
            }
        }
        #expect(pairs == names.count * (names.count - 1) / 2)
    }

    @Test func `what others have seen and nobody has any more is missed`() throws {
        // The last snapshot of a host has no successor of its own; another host's manifest has seen it.
        let fixture = try RepositoryFixture()
        var options = BackupOptions()
        options.host = "first"
        let lost = try fixture.backup([1, 2, 3], options: options).snapshot
        options.host = "second"
        _ = try fixture.backup([4, 5, 6], options: options)
        #expect(try fixture.check(.structure).problems == [])
        try fixture.storage.delete(.snapshot(lost.id))
        #expect(try !fixture.check(.structure).isClean)
    }

    @Test func `an index that does not fit its packs is found`() throws {
        let fixture = try RepositoryFixture()
        let snapshot = try fixture.backup(TestImages.random(byteCount: 300_000, seed: 32)).snapshot
        let repository = fixture.repository
        // The index object is replaced by one, rightly signed, that says that the first two chunks stand the other way round.
        let name = try fixture.storage.list(.index)[0].name
        var document = try repository.readIndex(name)
        for pack in document.packs.indices where document.packs[pack].directory.kind == .data {
            document.packs[pack].directory.segments[0].chunks.swapAt(0, 1)
        }
        let object = repository.sealer.seal(document.encoded, repository.sealer.repositoryBinding(.index, name: ""))
        _ = try fixture.storage.put(.index(IndexID(ObjectDigest.of(object))), object.span)
        try fixture.storage.delete(name)
        let pack = try fixture.storage.list(.packs)[0].name.path
        let problem = try #require(try fixture.check(.all).problems.first { $0.object == pack })
        #expect(problem.snapshots == [snapshot.id.hexadecimal])
        #expect(throws: RepositoryError.self) { try fixture.restore(snapshot) }
    }

    /// Each name is reported as an error; where packs are concerned, with the snapshots that do not come back.
    private func expectNamed(_ names: [ObjectName], _ repository: DamagedRepository, _ comment: Comment) throws {
        let errors = try repository.errors().filter { $0.severity == .error }
        for name in names {
            let own = errors.filter { $0.object == name.path }
            #expect(!own.isEmpty, comment)
            if name.kind == .packs || name.kind == .maps {
                #expect(Set(errors.flatMap(\.snapshots)).isSuperset(of: repository.lostSnapshots.map(\.hexadecimal)), comment)
            }
            if name.kind == .snapshots { #expect(own.contains { $0.snapshots.contains(name.leaf) }, comment) }
        }
        #expect(repository.restoresRightOrThrows(), comment)
    }
}
