import Storage
import TestSupport
import Testing

@Suite struct MemoryStorageTests {
    @Test(arguments: StorageConformance.properties)
    func `memory conforms`(to property: StorageProperty) throws {
        try property.check(MemoryStorage())
    }

    @Test func `a copy and its original go their own ways`() throws {
        let original = MemoryStorage(objects: [.config: [1]])
        let copy = original.copy()
        copy.overwrite(.config, with: [2])
        #expect(try original.put(.keyring(0), [3]) == .created)
        #expect(original.objects == [.config: [1], .keyring(0): [3]])
        #expect(copy.objects == [.config: [2]])
    }

    @Test func `a copy of what was never prepared is not prepared either`() {
        #expect(throws: StorageError.noRepository(place: "memory")) { try MemoryStorage().copy().list(.packs) }
    }
}
