import Storage
import TestSupport
import Testing

@Suite struct FaultInjectingStorageTests {
    private let memory = MemoryStorage(objects: [.config: [1, 2, 3]])
    private let error = StorageError.unavailable(object: "o", reason: "r")

    @Test(arguments: StorageConformance.properties)
    func `a wrapper without faults conforms`(to property: StorageProperty) throws {
        try property.check(FaultInjectingStorage(MemoryStorage()))
    }

    @Test func `the call at the position fails, and none before or after`() throws {
        let storage = FaultInjectingStorage(memory)
        storage.inject(.fails(error), at: 1)
        #expect(try storage.put(.keyring(0), [0]) == .created)
        #expect(throws: error) { try storage.put(.keyring(1), [1]) }
        #expect(try storage.put(.keyring(2), [2]) == .created)
        #expect(Set(memory.objects.keys) == [.config, .keyring(0), .keyring(2)])
    }

    @Test func `mutating positions do not count reads`() throws {
        let storage = FaultInjectingStorage(memory)
        storage.inject(.fails(error), at: 1, counting: .mutating)
        try storage.barrier()
        _ = try storage.list(.config)
        _ = try storage.stat(.config)
        #expect(throws: error) { try storage.delete(.config) }
        #expect(storage.operations == [.barrier, .list(.config), .stat(.config), .delete(.config)])
        #expect(storage.operationCount == 4)
        #expect(storage.mutatingOperationCount == 2)
    }

    @Test func `a lost reply happens all the same`() throws {
        let storage = FaultInjectingStorage(memory)
        storage.inject(.replyLost(error), at: 0)
        #expect(throws: error) { try storage.put(.keyring(0), [9]) }
        #expect(memory.objects[.keyring(0)] == [9])
    }

    @Test(arguments: [StorageFault.crashBefore, .crashAfter])
    func `after a crash nothing happens any more, until a reset`(_ crash: StorageFault) throws {
        let storage = FaultInjectingStorage(memory)
        storage.inject(crash, at: 0)
        #expect(throws: FaultInjectingStorage.crashed) { try storage.put(.keyring(0), [9]) }
        #expect(throws: FaultInjectingStorage.crashed) { try storage.put(.keyring(1), [9]) }
        #expect(throws: FaultInjectingStorage.crashed) { try storage.list(.config) }
        #expect((memory.objects[.keyring(0)] != nil) == (crash == .crashAfter))
        #expect(memory.objects[.keyring(1)] == nil)
        storage.reset()
        #expect(try storage.put(.keyring(1), [9]) == .created)
        #expect(storage.operationCount == 1)
    }

    @Test func `one byte of one get is damaged`() throws {
        let storage = FaultInjectingStorage(memory)
        storage.corruptNextGet(of: .config, byteAt: 1)
        #expect(try storage.get(.config, range: 2..<3) == [3])
        #expect(try storage.get(.config, range: 1..<3) == [2 ^ 0xFF, 3])
        #expect(try storage.get(.config, byteCountMax: 3) == [1, 2, 3])
        #expect(memory.objects[.config] == [1, 2, 3])
    }

    @Test func `a full device takes what fits and nothing of what does not`() throws {
        let storage = FaultInjectingStorage(memory)
        storage.fill(after: 5)
        #expect(try storage.put(.keyring(0), [1, 2, 3]) == .created)
        #expect(throws: StorageError.full(object: "keyring/1")) { try storage.put(.keyring(1), [1, 2, 3]) }
        #expect(try storage.put(.keyring(2), [1, 2]) == .created)
        #expect(memory.objects[.keyring(1)] == nil)
    }
}
