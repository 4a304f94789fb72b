import Storage
import TestSupport
import Testing

@Suite struct StorageConformanceTests {
    @Test(arguments: StorageFlaw.allCases)
    func `the conformance suite finds each flaw`(_ flaw: StorageFlaw) {
        let finder = StorageConformance.properties.first { property in
            do {
                try property.check(FlawedStorage(flaw))
                return false
            } catch {
                return true
            }
        }
        #expect(finder != nil)
    }

    @Test func `every property has a sentence of its own`() {
        #expect(Set(StorageConformance.properties.map(\.description)).count == StorageConformance.properties.count)
    }
}
