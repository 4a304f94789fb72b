import Bytes
import Glibc
@testable import LocalStorage
import Storage
import Synchronization
import TestSupport
import Testing

/// The local steps of Specs/ordering.md, seen as system calls.
@Suite struct LocalOrderingTests {
    private let folder = TemporaryFolder()
    private let recorded = RecordedCalls()
    private let pack = ObjectName(.packs, String(repeating: "ab", count: 32))

    private func preparedStorage(nameless: Bool = true) throws -> LocalStorage {
        let storage = LocalStorage(path: "\(folder.path)/repository", calls: recorded.calls(nameless: nameless))
        try storage.prepare()
        recorded.forget()
        return storage
    }

    @Test func `an object is written, made durable, named, and its folder synchronised by the barrier`() throws {
        let storage = try preparedStorage()
        #expect(try storage.put(.keyring(0), [1]) == .created)
        #expect(recorded.order == [.open, .write, .synchronizeData, .link])
        try storage.barrier()
        #expect(recorded.order == [.open, .write, .synchronizeData, .link, .synchronizeFolder])
        #expect(recorded.synchronizedFolders == ["keyring"])
    }

    @Test func `the same where files need a name`() throws {
        let storage = try preparedStorage(nameless: false)
        #expect(try storage.put(.keyring(0), [1]) == .created)
        recorded.forget()
        #expect(try storage.put(.keyring(1), [1]) == .created)
        try storage.barrier()
        #expect(recorded.order == [.open, .write, .synchronizeData, .rename, .synchronizeFolder])
    }

    @Test func `a large object in aligned memory is written direct, but for its tail`() throws {
        let storage = try preparedStorage()
        let byteCount = 2 << 20 + 100
        let buffer = AlignedBuffer(byteCapacity: byteCount)
        buffer.zero(0..<byteCount)
        let outcome = try buffer.withBytes(byteCount: byteCount) { bytes throws(StorageError) in try storage.put(pack, bytes) }
        #expect(outcome == .created)
        #expect(recorded.order == [.openDirect, .write, .clearDirect, .write, .synchronizeData, .link])
        #expect(try storage.get(pack, byteCountMax: .max) == Array(repeating: 0, count: byteCount))
    }

    @Test func `a write that direct files refuse goes on buffered`() throws {
        let storage = try preparedStorage()
        recorded.fail(.write, with: EINVAL)
        let buffer = AlignedBuffer(byteCapacity: 1 << 20)
        buffer.zero(0..<1 << 20)
        _ = try buffer.withBytes(byteCount: 1 << 20) { bytes throws(StorageError) in try storage.put(pack, bytes) }
        #expect(recorded.order == [.openDirect, .write, .clearDirect, .write, .synchronizeData, .link])
        #expect(try storage.stat(pack)?.byteCount == 1 << 20)
    }

    @Test func `a barrier synchronises each folder once, and the next one only what changed since`() throws {
        let storage = try preparedStorage()
        for number in 0..<3 as Range<UInt64> { #expect(try storage.put(.keyring(number), [1]) == .created) }
        #expect(try storage.put(pack, [1]) == .created)
        #expect(try storage.put(.config, [1]) == .created)
        try storage.barrier()
        #expect(recorded.synchronizedFolders.sorted() == ["ab", "keyring", "repository"])
        recorded.forget()
        try storage.barrier()
        #expect(recorded.entries.isEmpty)
        try storage.delete(.keyring(2))
        try storage.barrier()
        #expect(recorded.synchronizedFolders == ["keyring"])
    }

    @Test func `an occupied name is made durable too, because another writer may not have got so far`() throws {
        let storage = try preparedStorage()
        #expect(try LocalStorage(path: storage.place).put(.keyring(0), [1]) == .created)
        #expect(try storage.put(.keyring(0), [1]) == .occupied)
        try storage.barrier()
        #expect(recorded.synchronizedFolders == ["keyring"])
    }

    @Test func `what another has stored is made durable by a barrier after a stat that found it`() throws {
        let storage = try preparedStorage()
        #expect(try LocalStorage(path: storage.place).put(pack, [1]) == .created)
        #expect(try storage.stat(.keyring(0)) == nil)
        try storage.barrier()
        #expect(recorded.synchronizedFolders.isEmpty)
        #expect(try storage.stat(pack) != nil)
        try storage.barrier()
        #expect(recorded.synchronizedFolders == ["ab"])
    }

    @Test func `the folders made for an object are made durable with it`() throws {
        let storage = try preparedStorage()
        #expect(try storage.put(.config, [1]) == .created)
        try storage.barrier()
        for path in ["packs/ab", "packs"] { try removeTree("\(storage.place)/\(path)") }
        recorded.forget()
        #expect(try storage.put(pack, [1]) == .created)
        try storage.barrier()
        #expect(Set(recorded.synchronizedFolders) == ["ab", "packs", "repository"])
    }

    @Test func `prepare makes every folder's name durable, each time`() throws {
        let storage = try preparedStorage()
        try storage.prepare()
        #expect(Set(recorded.synchronizedFolders).isSuperset(of: ["repository", "packs", "maps"]))
        #expect(recorded.synchronizedFolders.contains { folder.path.hasSuffix($0) })
    }

    @Test(arguments: [true, false])
    func `a failed fdatasync is not repeated, and leaves nothing`(nameless: Bool) throws {
        let storage = try preparedStorage(nameless: nameless)
        recorded.fail(.synchronizeData, with: EIO)
        let error = #expect(throws: StorageError.self) { try storage.put(.keyring(0), [1]) }
        #expect(error.map(isFailed) == true)
        #expect(recorded.entries.filter { $0.call == .synchronizeData }.count == 1)
        #expect(!recorded.order.contains(.link) && !recorded.order.contains(.rename))
        #expect(try storage.list(.keyring).isEmpty)
        #expect(try entries(of: "\(storage.place)/keyring").isEmpty)
        #expect(try storage.put(.keyring(0), [1]) == .created)
    }

    @Test(arguments: [EIO, ENOSPC, EDQUOT], [true, false])
    func `a write that fails, at once or half way, names nothing and leaves nothing`(code: Int32, isHalfWay: Bool) throws {
        _ = try preparedStorage()
        var calls = recorded.calls()
        calls.write = { descriptor, bytes, offset throws(ErrorNumber) in
            guard isHalfWay, offset == 0 else { throw ErrorNumber(code: code) }
            return try FileCalls.live.write(descriptor, bytes.extracting(first: 1), offset)
        }
        let storage = LocalStorage(path: "\(folder.path)/repository", calls: calls)
        let error = #expect(throws: StorageError.self) { try storage.put(.keyring(0), [1, 2, 3]) }
        #expect(error.map(isFailed) == (code == EIO))
        #expect(!recorded.order.contains(.synchronizeData) && !recorded.order.contains(.link))
        #expect(try entries(of: "\(storage.place)/keyring").isEmpty)
    }

    @Test func `after a folder could not be made durable no later barrier says that it is`() throws {
        let storage = try preparedStorage()
        #expect(try storage.put(.keyring(0), [1]) == .created)
        recorded.fail(.synchronizeFolder, with: EIO)
        let first = #expect(throws: StorageError.self) { try storage.barrier() }
        let second = #expect(throws: StorageError.self) { try storage.barrier() }
        #expect(first.map(isFailed) == true)
        #expect(first == second)
        #expect(recorded.entries.filter { $0.call == .synchronizeFolder }.count == 1)
    }

    @Test func `a folder that cannot synchronise names is taken as it is`() throws {
        let storage = try preparedStorage()
        #expect(try storage.put(.keyring(0), [1]) == .created)
        recorded.fail(.synchronizeFolder, with: EINVAL)
        try storage.barrier()
    }

    @Test(arguments: [(EIO, false), (ENOSPC, true), (EDQUOT, true)])
    func `a name that cannot be made leaves nothing`(code: Int32, isFull: Bool) throws {
        let storage = try preparedStorage()
        recorded.fail(.link, with: code)
        let error = #expect(throws: StorageError.self) { try storage.put(.keyring(0), [1]) }
        #expect(error == .full(object: "\(storage.place)/keyring/0") || !isFull)
        #expect(try entries(of: "\(storage.place)/keyring").isEmpty)
    }

    @Test func `interrupted calls are made again`() throws {
        let storage = try preparedStorage()
        recorded.fail(.write, with: EINTR, EINTR)
        recorded.fail(.synchronizeData, with: EINTR)
        recorded.fail(.synchronizeFolder, with: EINTR)
        #expect(try storage.put(.keyring(0), [1, 2, 3]) == .created)
        try storage.barrier()
        #expect(try storage.get(.keyring(0), byteCountMax: 3) == [1, 2, 3])
    }

    @Test(arguments: [0, 5])
    func `a folder that cannot be read to its end is not a short listing`(entryCount: Int) throws {
        let storage = try preparedStorage()
        for number in 0..<10 as Range<UInt64> { #expect(try storage.put(.keyring(number), [1]) == .created) }
        var calls = FileCalls.live
        let broken = RecordedCalls()
        calls.nextEntry = { stream throws(ErrorNumber) in
            if broken.entries.count >= entryCount { throw ErrorNumber(code: EIO) }
            return try broken.calls().nextEntry(stream)
        }
        let error = #expect(throws: StorageError.self) { try LocalStorage(path: storage.place, calls: calls).list(.keyring) }
        #expect(error.map(isFailed) == true)
    }

    @Test func `a barrier of another thread just before the name is given does not lose the folder`() throws {
        let storage = try preparedStorage()
        var calls = recorded.calls()
        let recordedCalls = calls
        let itself = Mutex<LocalStorage?>(nil)
        calls.linkDescriptor = { descriptor, path throws(ErrorNumber) in
            let other = itself.withLock { $0 }
            do throws(StorageError) { try other?.barrier() } catch { throw ErrorNumber(code: EIO) }
            try recordedCalls.linkDescriptor(descriptor, path)
        }
        let raced = LocalStorage(path: storage.place, calls: calls)
        itself.withLock { $0 = raced }
        #expect(try raced.put(.keyring(0), [1]) == .created)
        #expect(recorded.synchronizedFolders.isEmpty)
        try raced.barrier()
        #expect(recorded.synchronizedFolders == ["keyring"])
    }

    @Test func `a link whose reply was lost is told from a name that is taken`() throws {
        let storage = try preparedStorage()
        var calls = FileCalls.withoutNamelessFiles()
        calls.renameNoReplace = { _, _ throws(ErrorNumber) in throw ErrorNumber(code: EINVAL) }
        calls.link = { from, to throws(ErrorNumber) in
            try FileCalls.live.link(from, to)
            throw ErrorNumber(code: EEXIST)
        }
        let repeating = LocalStorage(path: storage.place, calls: calls)
        #expect(try repeating.put(.keyring(0), [1]) == .created)
        #expect(try repeating.put(.keyring(0), [2]) == .occupied)
        #expect(try entries(of: "\(storage.place)/keyring") == ["0"])
        #expect(try storage.get(.keyring(0), byteCountMax: 1) == [1])
    }

    @Test func `a barrier waits for one that is under way`() throws {
        let storage = try preparedStorage()
        #expect(try storage.put(.keyring(0), [1]) == .created)
        let results = raceThreads(count: 4) { _ in
            Result { () throws(StorageError) in
                try storage.barrier()
                return recorded.synchronizedFolders
            }
        }
        for result in results { #expect(try result.get() == ["keyring"]) }
    }
}

private func isFailed(_ error: StorageError) -> Bool {
    if case .failed = error { true } else { false }
}
