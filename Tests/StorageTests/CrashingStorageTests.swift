import Storage
import TestSupport
import Testing

@Suite struct CrashingStorageTests {
    @Test(arguments: StorageConformance.properties)
    func `it conforms while nothing crashes`(to property: StorageProperty) throws {
        try property.check(CrashingStorage(MemoryStorage()))
    }

    @Test func `what a barrier covered survives every crash`() throws {
        let storage = try storageWithVolatileNames()
        for seed in 0..<64 as Range<UInt64> {
            let left = storage.crash(losing: seed).objects
            #expect(left[.config] == [1], "seed \(seed)")
            #expect(left[.keyring(0)] == [2], "seed \(seed)")
        }
    }

    @Test func `later names survive in any combination, with their own bytes`() throws {
        let storage = try storageWithVolatileNames()
        #expect(storage.volatileNames == [.keyring(1), .keyring(2)])
        var combinations: Set<Set<ObjectName>> = []
        for seed in 0..<64 as Range<UInt64> {
            let left = storage.crash(losing: seed).objects
            combinations.insert(Set(left.keys))
            #expect([nil, [3]].contains(left[.keyring(1)]), "seed \(seed)")
        }
        #expect(combinations.count == 4)
        #expect(storage.crashLosingEverything().objects == [.config: [1], .keyring(0): [2]])
    }

    @Test func `a seed gives the same crash every time`() throws {
        let storage = try storageWithVolatileNames()
        #expect(storage.crash(losing: 5).objects == storage.crash(losing: 5).objects)
    }

    @Test func `a deletion may come undone until a barrier`() throws {
        let storage = CrashingStorage(MemoryStorage(objects: [.config: [1]]))
        try storage.delete(.config)
        #expect(storage.crashLosingEverything().objects == [.config: [1]])
        #expect(storage.crash { _ in true }.objects.isEmpty)
        try storage.barrier()
        #expect(storage.crashLosingEverything().objects.isEmpty)
        #expect(storage.volatileNames.isEmpty)
    }

    @Test func `an object that was put and deleted may be back after a crash`() throws {
        let storage = CrashingStorage(MemoryStorage(objects: [:]))
        #expect(try storage.put(.config, [1]) == .created)
        try storage.delete(.config)
        #expect(storage.crash { _ in true }.objects == [.config: [1]])
        #expect(storage.crashLosingEverything().objects.isEmpty)
    }

    private func storageWithVolatileNames() throws -> CrashingStorage {
        let storage = CrashingStorage(MemoryStorage(objects: [.config: [1]]))
        #expect(try storage.put(.keyring(0), [2]) == .created)
        try storage.barrier()
        #expect(try storage.put(.keyring(1), [3]) == .created)
        #expect(try storage.put(.keyring(2), [4]) == .created)
        return storage
    }
}
