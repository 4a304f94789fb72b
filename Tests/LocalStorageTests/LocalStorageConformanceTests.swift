import Glibc
@testable import LocalStorage
import Storage
import TestSupport
import Testing

@Suite struct LocalStorageConformanceTests {
    private let folder = TemporaryFolder()
    private let memoryFolder = TemporaryFolder(inMemory: true)

    @Test(arguments: StorageConformance.properties)
    func `local storage conforms`(to property: StorageProperty) throws {
        try property.check(LocalStorage(path: "\(folder.path)/repository"))
    }

    @Test(arguments: StorageConformance.properties)
    func `it conforms where every file needs a name`(to property: StorageProperty) throws {
        try property.check(LocalStorage(path: "\(memoryFolder.path)/repository", calls: .withoutNamelessFiles()))
    }

    @Test(arguments: StorageConformance.properties)
    func `it conforms where only hard links are atomic, and files cannot be opened direct`(to property: StorageProperty) throws {
        var calls = FileCalls.withoutNamelessFiles(directOpens: false)
        calls.renameNoReplace = { _, _ throws(ErrorNumber) in throw ErrorNumber(code: EINVAL) }
        try property.check(LocalStorage(path: "\(memoryFolder.path)/repository", calls: calls))
    }
}
