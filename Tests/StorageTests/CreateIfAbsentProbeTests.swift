import Storage
import TestSupport
import Testing

@Suite struct CreateIfAbsentProbeTests {
    @Test(arguments: [StorageFlaw.overwrites, .overwritesAndSaysOccupied, .looksThenCreates, .saysOccupiedToAll])
    func `a storage that does not honour create-if-absent is refused, and no probe stays`(_ flaw: StorageFlaw) throws {
        let storage = FlawedStorage(flaw)
        try storage.prepare()
        let error = #expect(throws: StorageError.self) { try storage.verifyCreateIfAbsent() }
        guard case .failed(_, "the test of create-if-absent", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try storage.list(.verified).isEmpty)
    }

    @Test func `what the storage answers is passed on`() throws {
        let storage = FaultInjectingStorage(MemoryStorage(objects: [:]))
        let full = StorageError.full(object: "o")
        storage.inject(.fails(full), at: 1)
        #expect(throws: full) { try storage.verifyCreateIfAbsent() }
        #expect(try storage.list(.verified).isEmpty)
    }

    @Test func `two probes never share a name`() throws {
        let storage = FaultInjectingStorage(MemoryStorage(objects: [:]))
        try storage.verifyCreateIfAbsent()
        try storage.verifyCreateIfAbsent()
        let names = storage.operations.compactMap { if case .delete(let name) = $0 { name } else { nil } }
        #expect(names.count == 4)
        #expect(Set(names).count == 4)
    }
}
