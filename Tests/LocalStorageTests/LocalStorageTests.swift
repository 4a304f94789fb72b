import Foundation
import Glibc
@testable import LocalStorage
import Storage
import TestSupport
import Testing

@Suite struct LocalStorageTests {
    private let folder = TemporaryFolder()
    private let pack = ObjectName(.packs, String(repeating: "ab", count: 32))
    private var root: String { "\(folder.path)/repository" }

    private func preparedStorage() throws -> LocalStorage {
        let storage = LocalStorage(path: root)
        try storage.prepare()
        return storage
    }

    // MARK: Where the objects lie

    @Test func `an object is a file of its own name, for its owner alone`() throws {
        let storage = try preparedStorage()
        #expect(try storage.put(pack, [1, 2, 3]) == .created)
        let path = "\(root)/packs/ab/\(pack.leaf)"
        #expect(FileManager.default.contents(atPath: path) == Data([1, 2, 3]))
        #expect(try permissions(path) == 0o600)
        for folder in ["", "/packs", "/packs/ab", "/keys"] { #expect(try permissions(root + folder) == 0o700, "\(folder)") }
    }

    @Test func `prepare makes a folder for each kind, 256 for packs and maps, and those above the root`() throws {
        let storage = LocalStorage(path: "\(folder.path)/a/b/c/")
        try storage.prepare()
        let expected = Set(ObjectKind.allCases.filter(\.isFolder).map(\.rawValue))
        #expect(try Set(entries(of: "\(folder.path)/a/b/c")) == expected)
        #expect(try entries(of: "\(folder.path)/a/b/c/packs").count == 256)
        #expect(try Set(entries(of: "\(folder.path)/a/b/c/maps")).isSuperset(of: ["00", "0f", "ff"]))
    }

    @Test func `a relative path is the one it was at first`() throws {
        #expect(LocalStorage(path: "x/y").place == FileManager.default.currentDirectoryPath + "/x/y")
        #expect(LocalStorage(path: "/").place == "/")
        #expect(LocalStorage(path: "/x//").place == "/x")
    }

    // MARK: What is not an object

    @Test func `files and folders that are no objects are passed over`() throws {
        let storage = try preparedStorage()
        #expect(try storage.put(.keyring(0), [1]) == .created)
        for name in [".new-0-1", "UPPER", "a~", "a-b", "lost+found", String(repeating: "a", count: 129)] {
            #expect(FileManager.default.createFile(atPath: "\(root)/keyring/\(name)", contents: Data([1])))
        }
        try FileManager.default.createDirectory(atPath: "\(root)/keyring/folder", withIntermediateDirectories: false)
        #expect(FileManager.default.createFile(atPath: "\(root)/packs/readme", contents: Data([1])))
        #expect(FileManager.default.createFile(atPath: "\(root)/packs/ac/\(pack.leaf)", contents: Data([1])))
        #expect(try storage.list(.keyring) == [ObjectInfo(name: .keyring(0), byteCount: 1)])
        #expect(try storage.list(.packs).isEmpty)
    }

    @Test func `a symbolic link in place of an object is refused, neither followed nor listed`() throws {
        let storage = try preparedStorage()
        #expect(FileManager.default.createFile(atPath: "\(folder.path)/elsewhere", contents: Data([1])))
        try FileManager.default.createSymbolicLink(atPath: "\(root)/keyring/0", withDestinationPath: "\(folder.path)/elsewhere")
        expectFailed { () throws(StorageError) in _ = try storage.get(.keyring(0), byteCountMax: 10) }
        expectFailed { () throws(StorageError) in _ = try storage.get(.keyring(0), range: 0..<1) }
        expectFailed { () throws(StorageError) in _ = try storage.stat(.keyring(0)) }
        #expect(try storage.list(.keyring).isEmpty)
        #expect(try storage.put(.keyring(0), [2]) == .occupied)
        #expect(FileManager.default.contents(atPath: "\(folder.path)/elsewhere") == Data([1]))
    }

    @Test func `a link that leads nowhere is not written through`() throws {
        let storage = try preparedStorage()
        try FileManager.default.createSymbolicLink(atPath: "\(root)/keyring/0", withDestinationPath: "\(folder.path)/nowhere")
        #expect(try storage.put(.keyring(0), [2]) == .occupied)
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/nowhere"))
    }

    @Test func `a folder or a pipe in place of an object is an error, and nobody waits for it`() throws {
        let storage = try preparedStorage()
        try FileManager.default.createDirectory(atPath: "\(root)/keyring/0", withIntermediateDirectories: false)
        #expect(unsafe mkfifo("\(root)/keyring/1", 0o600) == 0)
        for number in 0..<2 as Range<UInt64> {
            expectFailed { () throws(StorageError) in _ = try storage.get(.keyring(number), byteCountMax: 10) }
            expectFailed { () throws(StorageError) in _ = try storage.stat(.keyring(number)) }
        }
        #expect(try storage.list(.keyring).isEmpty)
    }

    @Test func `a file in place of a folder is an error, not an empty kind`() throws {
        let storage = try preparedStorage()
        try removeTree("\(root)/keyring")
        try removeTree("\(root)/packs/ab")
        #expect(FileManager.default.createFile(atPath: "\(root)/keyring", contents: nil))
        #expect(FileManager.default.createFile(atPath: "\(root)/packs/ab", contents: nil))
        expectFailed { () throws(StorageError) in _ = try storage.list(.keyring) }
        expectFailed { () throws(StorageError) in _ = try storage.list(.packs) }
        expectFailed { () throws(StorageError) in _ = try storage.put(.keyring(0), [1]) }
    }

    // MARK: What is missing

    @Test func `a missing kind is empty in a repository, and no repository without config`() throws {
        let storage = try preparedStorage()
        try removeTree("\(root)/keyring")
        try removeTree("\(root)/packs/ab")
        let nothing = StorageError.noRepository(place: root)
        #expect(throws: nothing) { try storage.list(.keyring) }
        #expect(throws: nothing) { try storage.stat(.keyring(0)) }
        #expect(throws: nothing) { try storage.put(.keyring(0), [1]) }
        #expect(try storage.put(.config, [1]) == .created)
        #expect(try storage.list(.keyring).isEmpty)
        #expect(try storage.stat(.keyring(0)) == nil)
        #expect(try storage.list(.packs).isEmpty)
        #expect(try storage.put(.keyring(0), [1]) == .created)
        #expect(try storage.put(pack, [1]) == .created)
        #expect(try storage.list(.packs).map(\.name) == [pack])
    }

    @Test func `nothing is written where the repository's disk is not mounted`() throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
        let storage = LocalStorage(path: root)
        #expect(throws: StorageError.noRepository(place: root)) { try storage.put(pack, [1]) }
        #expect(throws: StorageError.noRepository(place: root)) { try storage.list(.snapshots) }
        #expect(try entries(of: root).isEmpty)
    }

    @Test func `an object that shrinks is a short object`() throws {
        let storage = try preparedStorage()
        #expect(try storage.put(.keyring(0), [1, 2, 3, 4]) == .created)
        var calls = FileCalls.live
        calls.read = { _, memory, offset throws(ErrorNumber) in
            if offset >= 2 { return 0 }
            memory[0] = UInt8(offset + 1)
            return 1
        }
        let shrinking = LocalStorage(path: root, calls: calls)
        #expect(throws: StorageError.shortObject(.keyring(0), byteCount: 2, expected: 4)) {
            try shrinking.get(.keyring(0), byteCountMax: 10)
        }
        #expect(throws: StorageError.shortObject(.keyring(0), byteCount: 2, expected: 3)) {
            try shrinking.get(.keyring(0), range: 0..<3)
        }
    }

    // MARK: What refuses

    @Test(.enabled(if: isRoot, "only root can mount"))
    func `a full device says so and keeps nothing of the object`() throws {
        let mounted = try MountedFolder(byteCount: 4 << 20)
        let storage = LocalStorage(path: "\(mounted.path)/repository")
        try storage.prepare()
        let object = [UInt8](repeating: 7, count: 1 << 20)
        var stored: [ObjectName] = []
        let error = #expect(throws: StorageError.self) {
            for number in 0..<8 as Range<UInt64> {
                if try storage.put(.keyring(number), object) == .created { stored.append(.keyring(number)) }
            }
        }
        #expect(error == .full(object: "\(storage.place)/keyring/\(stored.count)"))
        #expect((1...4).contains(stored.count))
        #expect(try Set(entries(of: "\(storage.place)/keyring")) == Set(stored.map(\.leaf)))
        try storage.delete(.keyring(0))
        #expect(try storage.put(.keyring(9), object) == .created)
    }

    @Test(.enabled(if: isRoot, "only root can mount"))
    func `a read-only file system is read, and refuses the rest with a reason`() throws {
        let mounted = try MountedFolder(byteCount: 4 << 20)
        let storage = LocalStorage(path: "\(mounted.path)/repository")
        try storage.prepare()
        #expect(try storage.put(.config, [1]) == .created)
        try mounted.makeReadOnly()
        #expect(try storage.get(.config, byteCountMax: 1) == [1])
        #expect(try storage.list(.packs).isEmpty)
        for body: () throws -> Void in [
            { _ = try storage.put(.keyring(0), [1]) }, { try storage.delete(.config) },
            { try LocalStorage(path: "\(mounted.path)/other").prepare() },
        ] {
            let error = #expect(throws: StorageError.self, performing: body)
            guard case .readOnly = error else {
                Issue.record("not refused, or for another reason: \(String(describing: error))")
                continue
            }
        }
        #expect(try storage.stat(.config) != nil)
    }

    @Test(arguments: [EACCES, EPERM])
    func `a folder that may not be read is an error, not an empty kind`(code: Int32) throws {
        _ = try preparedStorage()
        var calls = FileCalls.live
        calls.open = { path, flags, mode throws(ErrorNumber) in
            if path.hasSuffix("/keyring") || path.hasSuffix("/packs/7f") { throw ErrorNumber(code: code) }
            return try FileCalls.live.open(path, flags, mode)
        }
        let storage = LocalStorage(path: root, calls: calls)
        for kind in [ObjectKind.keyring, .packs] {
            guard case .accessDenied(let object, _) = #expect(throws: StorageError.self, performing: { try storage.list(kind) }) else {
                Issue.record("\(kind) is listed")
                continue
            }
            #expect(object.hasPrefix("\(root)/\(kind.rawValue)"))
        }
    }

    @Test(arguments: [(EMFILE, true), (ENOMEM, true), (EIO, false)])
    func `an error number says whether to try again`(code: Int32, isRetryable: Bool) throws {
        let error = ErrorNumber(code: code).storageError(object: "o", operation: "writing")
        #expect(error.isRetryable == isRetryable)
        #expect(error.description.hasPrefix("o: "))
    }

    // MARK: What dead writers leave

    @Test func `a writer that dies leaves no entry at all where files need no name`() throws {
        let storage = try preparedStorage()
        let file = try NewFile.nameless(in: "\(root)/keyring", direct: false, calls: .live)
        #expect(try entries(of: "\(root)/keyring").isEmpty)
        #expect(try storage.list(.keyring).isEmpty)
        _ = consume file
    }

    @Test func `leftovers of dead writers go with the next write, those of the living stay`() throws {
        _ = try preparedStorage()
        let leftover = Leftovers.newName()
        let others = ".new-0000000000000000-00"
        for name in [leftover, others] {
            #expect(FileManager.default.createFile(atPath: "\(root)/keyring/\(name)", contents: Data([1])))
        }
        let living = try NewFile.named(in: "\(root)/keyring", direct: false, calls: .live)
        let storage = LocalStorage(path: root, calls: .withoutNamelessFiles())
        #expect(try storage.list(.keyring).isEmpty)
        #expect(try storage.put(.keyring(0), [1]) == .created)
        let left = try Set(entries(of: "\(root)/keyring"))
        #expect(!left.contains(leftover))
        #expect(left.count == 3 && left.isSuperset(of: ["0", others]))
        #expect(try living.publish(as: "\(root)/keyring/1") == .created)
        #expect(try Set(entries(of: "\(root)/keyring")) == ["0", "1", others])
    }

    // MARK: File systems

    @Test func `network file systems are told by their magic numbers`() throws {
        #expect(FileSystemKind.isNetwork(magic: 0x6969))
        #expect(FileSystemKind.isNetwork(magic: 0xFE53_4D42))
        #expect(!FileSystemKind.isNetwork(magic: 0xEF53))
        #expect(FileSystemKind.isNetwork(path: "/proc") == false)
        let storage = LocalStorage(path: "/proc/not/there")
        #expect(storage.capabilities == StorageCapabilities(createsAtomically: true, listsConsistently: true))
    }

    private func permissions(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    private func expectFailed(_ body: () throws(StorageError) -> Void) {
        guard case .failed = #expect(throws: StorageError.self, performing: body) else {
            Issue.record("not an error of the storage")
            return
        }
    }
}
